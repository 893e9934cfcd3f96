"""Names that nothing reads are refused, where Kedro would go on without them."""

import click
import pytest
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from pydantic import ValidationError

from mitune.hooks.names import check_names
from mitune.pipelines.shared.metrics import Metrics
from mitune.pipelines.shared.resources import Resources
from tests.conftest import ROOT

BASE = ROOT / "conf/base"


def test_a_misspelt_block_is_named_with_its_neighbour() -> None:
    given = {"generat": {}, "evaluate": {}, "campaign": "mine", "image_source": "x", "zzz": 1}
    first, second, third = check_names(BASE, given, {"modle", "data"})
    assert first == "parameters, generat: no such name; did you mean generate?"
    assert second.startswith("parameters, zzz: no such name; choose of campaign, compose")
    assert third == "globals, modle: no such name; did you mean model?"


@pytest.mark.parametrize("campaign", ["", "a/b", "../../evil", "..", "/tmp/x"])
def test_a_campaign_is_the_name_of_a_folder(campaign: str) -> None:
    (line,) = check_names(BASE, {"campaign": campaign}, ())
    assert line.startswith(f"parameters, campaign: {campaign!r} is no name of a folder")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"generat": {"steps": 5}}, "did you mean generate"),
        ({"campaign": "../x"}, "is no name of a folder"),
        ({"resources": {"device": "gpu"}}, "resources.device: .*'gpu' cannot be used"),
    ],
)
def test_a_session_with_wrong_names_is_refused(given: dict, message: str, monkeypatch) -> None:
    monkeypatch.chdir(ROOT)
    bootstrap_project(ROOT)
    with (
        KedroSession.create(ROOT, env="smoke", runtime_params=given) as session,
        pytest.raises(click.ClickException, match=message),
    ):
        session.load_context()


def test_a_pipeline_whose_inputs_nobody_made_says_which(monkeypatch) -> None:
    monkeypatch.chdir(ROOT)
    bootstrap_project(ROOT)
    given = {"campaign": "that_nobody_ran"}
    with (
        KedroSession.create(ROOT, env="smoke", runtime_params=given) as session,
        pytest.raises(click.ClickException, match=r"arms: nothing there yet; run what makes it"),
    ):
        session.run(pipeline_names=["quality"])


def test_one_metric_is_needed() -> None:
    judge = {"kind": "judge", "path": "x"}
    assert list(Metrics(scorers={"judge": judge, "clip": None}).scorers) == ["judge"]
    with pytest.raises(ValidationError, match="all of them are null; keep one"):
        Metrics(scorers={"judge": None})


def test_a_device_that_is_not_there_is_refused() -> None:
    assert Resources(device="cpu").torch_device.type == "cpu"
    with pytest.raises(ValidationError, match="'gpu' cannot be used"):
        Resources(device="gpu")


def test_an_executor_that_cannot_work_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Resources(executor="slurm", workers=2, device="cuda").workers == 2  # looked for there
    with pytest.raises(ValidationError, match=r"workers\n.*needs to know how many tasks"):
        Resources(executor="slurm")
    monkeypatch.setattr("mitune.pipelines.shared.resources.find_spec", lambda name: None)
    with pytest.raises(ValidationError, match=r"executor\n.*needs ray: pip install 'mitune"):
        Resources(executor="ray")
