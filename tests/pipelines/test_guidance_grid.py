"""Alignment against quality over guidance and rounds, on the smoke run."""

from pathlib import Path

import pandas as pd
import pytest

from tests.pipelines.conftest import kedro_here

pytestmark = pytest.mark.slow


def test_every_cell_is_measured_and_only_a_lost_one_again(project: Path, finished) -> None:
    assert finished.returncode == 0, finished.stderr[-2000:]
    arguments = ("run", "--env=smoke", "--pipeline=guidance_grid")
    done = kedro_here(project, *arguments)
    assert done.returncode == 0, done.stderr[-2000:]
    report = project / "data/smoke/08_reporting/main"
    table = pd.read_csv(report / "guidance_grid.csv")
    assert set(table["model"]) == {"base", "round_1", "round_2"}
    assert set(table["measure"]) >= {"judge", "clip", "frechet", "cmmd"}
    assert set(table["scale"]) == {1.0, 3.0} and table["value"].notna().all()
    assert (report / "guidance_grid.png").stat().st_size > 10_000

    cells = project / "data/smoke/04_feature/main/guidance_grid"
    stamps = {cell.name: cell.stat().st_mtime_ns for cell in cells.glob("*.parquet")}
    (cells / "round_1__3.parquet").unlink()
    assert kedro_here(project, *arguments).returncode == 0
    renewed = {c.name for c in cells.glob("*.parquet") if c.stat().st_mtime_ns != stamps[c.name]}
    assert renewed == {"round_1__3.parquet"}
    pd.testing.assert_frame_equal(pd.read_csv(report / "guidance_grid.csv"), table)

    # What was painted for other settings stays on disk and out of the table.
    fewer = kedro_here(project, *arguments, "--params=guidance_grid.scales=[3.0]")
    assert fewer.returncode == 0, fewer.stderr[-2000:]
    assert set(pd.read_csv(report / "guidance_grid.csv")["scale"]) == {3.0}
    alone = ("--nodes=guidance_grid.compare_cells", "--params=guidance_grid.images_per_prompt=1")
    unpainted = kedro_here(project, *arguments, *alone)
    assert unpainted.returncode == 1 and "Traceback" not in unpainted.stderr
    assert "base__1: not painted yet, or with another adapter" in unpainted.stderr
