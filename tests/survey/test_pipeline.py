"""From a campaign's pictures to the page, through the catalog."""

import socket
from pathlib import Path

import click
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from kedro.framework.project import pipelines
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from PIL import Image

from mitune.backbones import ModelRef
from mitune.cli.survey import survey
from mitune.errors import UserError
from mitune.hooks.lineage import open_plan
from mitune.metrics import JudgeScore
from mitune.pipelines.shared.metrics import Metrics
from mitune.pipelines.shared.resources import Resources
from mitune.pipelines.survey_analysis import pictures
from mitune.pipelines.survey_analysis.parameters import Survey
from mitune.survey.published import published
from mitune.survey.simulation import Respondents, simulate
from mitune.survey.storage import Answers
from tests.conftest import ROOT
from tests.pipelines.conftest import project  # noqa: F401
from tests.survey.conftest import a_study

SETTINGS = {
    "metrics": {"questions": {"count": 10, "per": "survey"}},
    "methods": {"questions": {"count": 2, "per": "category"}},
    "consent": "Nothing about you is stored.",
}
METRICS = Metrics(scorers={"judge": JudgeScore(path=Path("j")), "clip": JudgeScore(path=Path("c"))})


def candidates() -> tuple[dict[str, pd.DataFrame], pd.DataFrame]:
    """Two prompts with the same three candidates of noise, and what was measured of them."""
    noise = np.random.default_rng(0).standard_normal((3, 8, 8, 8)).astype(np.float16)
    shards, rows = {}, []
    for prompt in ("a", "b"):
        about = {"prompt_id": prompt, "category": "color", "prompt": prompt, "seed": 1}
        shard = pd.DataFrame([{**about, "image_index": i} for i in range(3)])
        shards[prompt] = shard.assign(latent=[latent.tobytes() for latent in noise])
        shards[prompt].attrs = {"latent_shape": [8, 8, 8]}
        rows.append(shard.assign(information=[1.0, 2, 3], judge=[3.0, 2, 1], clip=[1.0, 3, 2]))
    return shards, pd.concat(rows, ignore_index=True)


def test_pictures_are_those_that_each_chooser_puts_first() -> None:
    shards, measurements = candidates()
    model = ModelRef(str(ROOT / "data/06_models/miniature-sd"), "miniature")
    table = pictures.choose_pictures(
        shards, measurements, model, Survey.model_validate(SETTINGS), METRICS,
        Resources(device="cpu"),
    )  # fmt: skip
    best = table.set_index(["option", "prompt_id"])["image_index"].to_dict()
    chosen = {"MI": 2, "judge": 0, "clip": 1}
    assert best == {(option, p): index for option, index in chosen.items() for p in "ab"}
    assert table["picture"].nunique() == 3
    assert "seed" not in table


def test_a_metric_that_was_not_measured_is_named() -> None:
    shards, measurements = candidates()
    settings = {**SETTINGS, "metrics": {**SETTINGS["metrics"], "metrics": ["hps"]}}
    with pytest.raises(
        UserError, match=r"survey\.metrics\.metrics: .*'hps'; choose of judge, clip"
    ):
        pictures.choose_pictures(
            shards, measurements, ModelRef("m", "m"), Survey.model_validate(settings), METRICS,
            Resources(device="cpu"),
        )  # fmt: skip


def test_groups_are_names_of_folders() -> None:
    with pytest.raises(ValueError, match="it names a folder"):
        Survey.model_validate({**SETTINGS, "groups": ["../other"]})


@pytest.fixture
def standing(project: Path, monkeypatch) -> Path:  # noqa: F811
    monkeypatch.chdir(project)
    bootstrap_project(project)
    return project


def command(standing: Path, *arguments: str) -> str:
    metadata = bootstrap_project(standing)
    done = CliRunner().invoke(survey, [*arguments, "--env=smoke"], obj=metadata)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.output


def analyse(standing: Path, campaign: str) -> None:
    runtime = {"campaign": campaign}
    with KedroSession.create(standing, env="smoke", runtime_params=runtime) as session:
        session.run(pipeline_names=["survey_analysis"])


def test_from_official_files_to_the_page_and_out_again(standing: Path, tmp_path: Path) -> None:
    for place, said in enumerate(("True,False,True", "False,True,True")):
        group = ("academic", "random")[place]
        folder = tmp_path / group
        folder.mkdir()
        for number in range(3):
            file = folder / f"answer_20240901_101112_{3 * place + number:06}.csv"
            file.write_text(f'prompt,mi,blip,hps\n"<b>red</b>",{said}\n"two",{said}')
        done = command(standing, "import", "official", str(folder), f"--group={group}")
        assert done.startswith("3 surveys")
    assert "already; nothing was added" in command(
        standing, "import", "official", str(tmp_path / "random"), "--group=random"
    )
    analyse(standing, "official")
    reported = standing / "data/smoke/08_reporting/official/survey"
    share = pd.read_csv(reported / "shares.csv").set_index(["by", "part", "option"])["share"]
    assert share["group", "academic", "blip"] == 0 and share["group", "random", "blip"] == 1
    assert share["group", "average", "blip"] == 0.5
    page = (reported / "surveys.html").read_text()
    assert "Table 6" in page and "Table 7" not in page and "BLIP-VQA" in page
    known = published("metrics").set_index(["part", "option"])["share"]
    assert f"{100 * known['average', 'MI']:.1f}" in page
    assert Image.open(reported / "shares.png").width > 300
    out = command(standing, "export", "official", str(tmp_path / "out"), "--notebooks")
    assert out.startswith("6 files")
    for file in (tmp_path / "academic").iterdir():
        assert (tmp_path / "out/metrics/academic" / file.name).read_text() == file.read_text()


def test_both_surveys_of_a_campaign_on_one_page(standing: Path, rng) -> None:
    folder = standing / "data/smoke/01_raw/surveys/both"
    answers = Answers(folder / "answers.sqlite")
    study = a_study(["<script>alert(1)</script>", "b"], options=("base", "round_1"))
    answers.keep_scores(study.scores)
    answers.add(simulate(study, Respondents(), "judge", 4, rng))
    analyse(standing, "both")
    page = (standing / "data/smoke/08_reporting/both/survey/surveys.html").read_text()
    assert "Table 7" in page and "MI-TUNE R=1" in page and "<script" not in page
    tau = pd.read_csv(standing / "data/smoke/08_reporting/both/survey/agreement.csv")
    assert list(tau["score"]) == ["people", "judge"]
    # An answer more makes the analysis stale.
    answers.add(study.draw("left", "all", rng))
    runtime = {"campaign": "both"}
    with KedroSession.create(standing, env="smoke", runtime_params=runtime) as session:
        plan = open_plan(session.load_context().catalog, ["survey_analysis"])
        states = {n.name: plan.state(n) for n in pipelines["survey_analysis"].nodes}
    assert states["survey.tabulate"].reasons == ("input survey_answers",)


def test_an_address_that_is_taken_is_said_before_anything_is_made(standing: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = command(standing, "methods", "nobody", f"--port={port}")
    assert said == (
        f"Error: 127.0.0.1, port {port}: Address already in use; "
        "choose another with --port or --host\n"
    )
    assert "nobody-has-this-name" in command(
        standing, "methods", "nobody", "--host=nobody-has-this-name"
    )
    assert "99999" in command(standing, "methods", "nobody", "--port=99999")


def test_without_answers_there_is_one_line(standing: Path) -> None:
    assert "no answers yet" in command(standing, "export", "nobody", "somewhere")
    with pytest.raises(click.ClickException, match="no answers yet"):
        analyse(standing, "nobody")
