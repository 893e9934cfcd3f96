"""A finished run's survey: answered, analysed, tracked, and found by the report."""

import json
import shutil
from pathlib import Path

import pytest
from kedro.framework.project import pipelines
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from mlflow import MlflowClient

from mitune.cli.asking import study_of
from mitune.hooks.lineage import open_plan
from mitune.survey.simulation import Respondents, simulate
from mitune.survey.storage import Answers
from mitune.survey.study import Study
from tests.pipelines.conftest import finished, project, run, untouched  # noqa: F401

pytestmark = pytest.mark.slow


@pytest.fixture
def asked(project: Path, finished, tmp_path: Path, monkeypatch) -> tuple[Path, Study]:  # noqa: F811
    """A copy of the finished project, and the survey of its pictures, which nobody answered yet."""
    assert finished.returncode == 0, finished.stderr[-3000:]
    shutil.copytree(project, tmp_path, dirs_exist_ok=True)
    (tmp_path / "conf/smoke/mlflow.yml").write_text("enabled: true\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path, study_of("methods", bootstrap_project(tmp_path), "main", "smoke")


def due() -> dict[str, tuple[str, ...]]:
    """Nodes of the main job and of the analysis that would run, with their reasons."""
    with KedroSession.create(Path.cwd(), env="smoke") as session:
        plan = open_plan(session.load_context().catalog, ["mitune"])
        every = pipelines["mitune"] + pipelines["survey_analysis"]
        states = [plan.state(node) for node in every.nodes]
    return {state.node: state.reasons for state in states if state.status != "fresh"}


def test_the_report_shows_a_survey_once_it_is_analysed_and_does_without(asked, rng) -> None:
    folder, study = asked
    report = folder / "data/smoke/08_reporting/main/report.html"
    analysis = {n.name for n in pipelines["survey_analysis"].nodes}
    assert set(due()) == analysis  # without answers the report is finished
    assert "What people say" not in report.read_text()

    answers = Answers(folder / "data/smoke/01_raw/surveys/main/answers.sqlite")
    answers.keep_scores(study.scores)
    answers.add(simulate(study, Respondents(), "judge", 10, rng))
    done = run(folder, "--pipeline=survey_analysis")
    assert done.returncode == 0, done.stderr[-3000:]
    assert "tracking off" not in done.stderr
    assert due() == {"report.write_report": ("input survey_result",)}
    done = run(folder, "--pipeline=report", "--only-missing-outputs")
    assert done.returncode == 0, done.stderr[-3000:]
    assert due() == {}
    page = report.read_text()
    assert "What people say" in page and "as published: MI-TUNE, Table 7" in page
    assert f"10 surveys, {10 * len(study.choices)} answers" in page  # a prompt of each category
    link = page.partition('href="')[2].partition('"')[0]
    assert (report.parent / link).is_file()

    client = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("mitune")
    runs = client.search_runs([experiment.experiment_id])
    (tracked,) = [r for r in runs if r.info.run_name == "survey_analysis"]
    tables = ("shares", "differences", "strengths", "agreement", "summary", "page")
    kept = {file.path for file in client.list_artifacts(tracked.info.run_id)}
    assert kept == {"figures", *(f"survey_{name}" for name in tables)}
    record = json.loads(
        (folder / "data/smoke/02_intermediate/main/lineage/survey_shares.json").read_text()
    )
    assert record["ingredients"]["node"] == "survey.tabulate"
    assert "survey_answers" in record["ingredients"]["inputs"]
