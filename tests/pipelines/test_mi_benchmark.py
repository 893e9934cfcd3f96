import shutil
from pathlib import Path

import pandas as pd
import pytest

from mitune.datasets import Workspace
from mitune.mi_benchmark import MINDE, RFMI
from mitune.mi_benchmark.training import Training
from mitune.pipelines.mi_benchmark.nodes import estimate
from mitune.pipelines.mi_benchmark.parameters import MIBenchmark
from mitune.pipelines.shared.resources import Resources
from tests.pipelines.conftest import kedro, run

FOLDER = "data/smoke/04_feature/main/mi_benchmark"


def test_every_estimator_on_every_task_and_only_what_is_missing_again(
    project: Path, tmp_path: Path
) -> None:
    done = run(project, "--pipeline=mi_benchmark")
    assert done.returncode == 0, done.stderr[-2000:]
    results = pd.read_csv(project / "data/smoke/08_reporting/main/mi_benchmark.csv")
    assert len(results) == 2 * 12 and results["estimate"].notna().all()
    assert {"rfmi", "rfmi_inner", "minde_c", "minde_j"} < set(results["estimator"])
    assert (project / "data/smoke/08_reporting/main/mi_benchmark.png").stat().st_size > 10_000

    shards = sorted((project / FOLDER).glob("*.parquet"))
    before = {path.name: path.stat().st_mtime_ns for path in shards}
    shards[0].unlink()
    done = run(project, "--pipeline=mi_benchmark")
    assert done.returncode == 0, done.stderr[-2000:]
    after = {path.name: path.stat().st_mtime_ns for path in (project / FOLDER).glob("*.parquet")}
    assert {name for name in after if after[name] != before[name]} == {shards[0].name}
    again = pd.read_csv(project / "data/smoke/08_reporting/main/mi_benchmark.csv")
    pd.testing.assert_frame_equal(
        again.drop(columns="seconds"), results.drop(columns="seconds"), rtol=1e-6
    )

    # An estimator is mended: its numbers are made again, and no others.
    copy = tmp_path / "copy"
    shutil.copytree(project, copy)
    cca = copy / "src/mitune/mi_benchmark/cca.py"
    cca.write_text(cca.read_text().replace(".sum() / 2)", ".sum() / 2 + 1)"))
    arguments = ("run", "--env=smoke", "--pipeline=mi_benchmark")
    table = kedro(copy, *arguments, "--nodes=mi_benchmark.tabulate")
    assert table.returncode == 1 and "cca__0: missing, or of other settings or code" in table.stderr
    done = kedro(copy, *arguments)
    assert done.returncode == 0, done.stderr[-2000:]
    mended = pd.read_csv(copy / "data/smoke/08_reporting/main/mi_benchmark.csv")
    change = mended["estimate"] - again["estimate"]
    expected = [1.0 if name == "cca" else 0.0 for name in mended["estimator"]]
    assert list(change) == pytest.approx(expected, abs=1e-9)


def test_estimates_of_a_diverged_training_keep_their_names(tmp_path: Path) -> None:
    training = Training(steps=20, hidden=8, learning_rate=1e30)
    settings = MIBenchmark(
        estimators={"first": MINDE(training=training), "second": RFMI(training=training)},
        tasks=("1v1-normal-0.75",),
        train=64,
        test=32,
    )
    found = pd.concat(
        [
            t
            for shard in estimate(
                settings, Workspace(tmp_path, [tmp_path]), Resources(executor="serial")
            )
            for t in shard.values()
        ]
    )
    assert list(found["estimator"]) == ["minde_c", "minde_j", "rfmi", "rfmi_inner"]
    assert found["estimate"].isna().all()


def test_a_misspelt_task_is_one_line(project: Path) -> None:
    done = run(project, "--pipeline=mi_benchmark", "--params=mi_benchmark.tasks=[1v1-normal]")
    assert done.returncode == 1 and "no task '1v1-normal'" in done.stderr
    assert "Traceback" not in done.stderr
