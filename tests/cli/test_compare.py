"""Numbers of one name are put side by side only if they are of one metric."""

from pathlib import Path

import click
import pandas as pd
import pytest
from kedro.io import DataCatalog
from kedro_datasets.pandas import ParquetDataset

from mitune.cli.compare import _check_metric, _scored_by
from mitune.datasets import FolderDataset
from mitune.lineage.records import Ingredients, Record, Records

CLIP = "params:metrics.scorers.clip"


def _campaign(folder: Path, mean: float, content: str = "d1") -> DataCatalog:
    parameters = {
        f"{CLIP}.kind": "clip_score",
        f"{CLIP}.path": "models/clip",
        f"{CLIP}.mean": [mean] * 3,
        "params:metrics.scorers.judge.path": "models/judge",
        "params:evaluate.steps": 3,
    }
    inputs = {"test_prompts": "p", "models/clip": content, "models/judge": f"j{mean}"}
    record = Record(Ingredients("evaluate", {}, parameters, inputs), {})
    Records(folder / "lineage").write("base.evaluation", record)
    evaluation = ParquetDataset(filepath=str(folder / "evaluation.parquet"))
    evaluation.save(pd.DataFrame({"clip": [0.5]}))
    records = FolderDataset(filepath=str(folder / "lineage"))
    return DataCatalog({"base.evaluation": evaluation, "lineage_records": records})


def _compared(first: DataCatalog, second: DataCatalog, metric: str) -> None:
    sides = (_scored_by(catalog, "base", metric) for catalog in (first, second))
    _check_metric(metric, ("main", "other"), *sides)


def test_the_same_metric_is_compared_whatever_else_differs(tmp_path: Path) -> None:
    first, same = _campaign(tmp_path / "a", 0.5), _campaign(tmp_path / "b", 0.5)
    _compared(first, same, "clip")
    _compared(first, same, "judge")


def test_another_preprocessing_is_another_metric(tmp_path: Path) -> None:
    first, other = _campaign(tmp_path / "a", 0.5), _campaign(tmp_path / "b", 0.48)
    with pytest.raises(click.ClickException) as caught:
        _compared(first, other, "clip")
    assert caught.value.message == (
        "clip: mean is [0.5, 0.5, 0.5] in main, [0.48, 0.48, 0.48] in other: these are numbers of "
        "two metrics; evaluate one of the campaigns again"
    )


def test_other_weights_are_another_metric(tmp_path: Path) -> None:
    first, other = _campaign(tmp_path / "a", 0.5), _campaign(tmp_path / "b", 0.5, "d2")
    with pytest.raises(click.ClickException, match="clip: contents of path is d1 in main, d2 in o"):
        _compared(first, other, "clip")


def test_what_is_not_recorded_is_not_compared(tmp_path: Path) -> None:
    first = _campaign(tmp_path / "a", 0.5)
    (tmp_path / "a/lineage/base.evaluation.json").unlink()
    with pytest.raises(click.ClickException, match="how it was scored is not recorded; run its"):
        _compared(first, first, "clip")
