"""Names that nothing reads are refused, where Kedro would go on without them."""

import click
import pytest
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from pydantic import ValidationError

from mitune.environments import Environments
from mitune.hooks.names import Names, check_globals, check_parameters
from mitune.pipelines.shared.metrics import Metrics
from mitune.pipelines.shared.resources import Resources
from tests.conftest import ROOT

NAMES = Names.of(Environments(str(ROOT / "conf"), base_env="base"))


def test_a_misspelt_block_is_named_with_its_neighbour() -> None:
    given = {"campaign": "mine", "image_source": "x"}
    first, second = check_parameters(NAMES, {"generat": {}, "evaluate": {}, "zzz": 1}, given)
    assert first == "parameters, generat: no such name; did you mean generate?"
    assert second.startswith("parameters, zzz: no such name; choose of campaign, ")
    assert ", compare, compose, " in second
    (third,) = check_globals(NAMES, {"modle": "x", "data": "data", "revision": None})
    assert third == "globals, modle: no such name; did you mean model?"


def test_what_the_command_line_alone_is_asked_for_is_not_read_from_a_file() -> None:
    campaign, model = check_parameters(NAMES, {"campaign": "mine", "model": "x"}, {})
    assert campaign == (
        "parameters, campaign: is not read from a file of parameters; put it into "
        "--params=campaign=mine"
    )
    assert model == (
        "parameters, model: is not read from a file of parameters; put it into globals.yml, or "
        "--params=model=x"
    )


@pytest.mark.parametrize("campaign", ["", "a/b", "../../evil", "..", "/tmp/x", "x" * 201])
def test_a_campaign_is_the_name_of_a_folder(campaign: str) -> None:
    (line,) = check_parameters(NAMES, {}, {"campaign": campaign})
    assert line.startswith(f"parameters, campaign: {campaign!r} is no name of a folder")


@pytest.mark.parametrize("campaign", [None, 7, 1e3, True, {"x": 1}])
def test_a_campaign_is_a_text(campaign: object) -> None:
    (line,) = check_parameters(NAMES, {}, {"campaign": campaign})
    written = "null" if campaign is None else repr(campaign)
    assert line == (
        f"parameters, campaign: {written} is no text but what YAML makes of it; begin the name "
        "with a letter"
    )


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"data": None}, "data: null is no path; write one, as conf/base does"),
        ({"model": ""}, "model: '' is no path; write one, as conf/base does"),
        ({"prompts": ["a"]}, "prompts: ['a'] is no path; write one, as conf/base does"),
        ({"revision": 5}, "revision: 5 is no text; write one, or null"),
        ({"max_sequence_length": -1}, "max_sequence_length: -1 is no number of tokens; write 256, "
         "or null"),
    ],
)  # fmt: skip
def test_a_global_is_null_only_where_base_has_it(given: dict, line: str) -> None:
    assert list(check_globals(NAMES, given)) == [f"globals, {line}"]


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
