from pathlib import Path

import pandas as pd

from tests.pipelines.conftest import run

FOLDER = "data/smoke/04_feature/main/mi_benchmark"


def test_every_estimator_on_every_task_and_only_what_is_missing_again(project: Path) -> None:
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


def test_a_misspelt_task_is_one_line(project: Path) -> None:
    done = run(project, "--pipeline=mi_benchmark", "--params=mi_benchmark.tasks=[1v1-normal]")
    assert done.returncode == 1 and "no task '1v1-normal'" in done.stderr
    assert "Traceback" not in done.stderr
