from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mitune.comparison import categories_of
from mitune.metrics import HpsScore, ThreeInOne
from mitune.metrics.units import Units
from mitune.pipelines.report.changes import largest_changes
from mitune.pipelines.report.dependence import dependence_rows
from mitune.pipelines.report.verdict import by_category, verdict
from mitune.pipelines.shared.metrics import provenance_of
from mitune.statistics import Interval
from tests.conftest import ROOT

MODELS = ROOT / "data/06_models"


def _rows(**differences: tuple[float, float, float]) -> pd.DataFrame:
    rows = [("judge", category, *d, 16) for category, d in differences.items()]
    names = ["metric", "category", "difference", "difference_low", "difference_high", "prompts"]
    return pd.DataFrame(rows, columns=names)


def _interval(mean: float, low: float, high: float) -> Interval:
    return Interval(mean, low, high, 0.01, 16)


def test_a_difference_is_named_only_if_its_interval_leaves_zero() -> None:
    differences = {"base": _interval(0.05, 0.01, 0.09), "random k": _interval(0.02, -0.02, 0.06)}
    assert verdict("R=1", "judge", Units("proportion"), differences) == (
        "On judge, R=1 is 5.0 points above base (+1.0 to +9.0), and cannot be told from random k "
        "(-2.0 to +6.0)."
    )


def test_a_fall_is_called_one_in_the_metrics_own_units() -> None:
    differences = {"base": _interval(-0.0124, -0.02, -0.005)}
    assert verdict("R=1", "clip", Units("cosine"), differences) == (
        "On clip, R=1 is 0.012 below base (-0.020 to -0.005)."
    )


def test_categories_that_rise_or_fall_are_named() -> None:
    rows = _rows(all=(0.01, -0.02, 0.04), color=(0.1, 0.02, 0.2), numeracy=(-0.2, -0.3, -0.1))
    found = by_category(rows, "judge", Units("proportion"))
    assert found == "It rises in color (+10.0). It falls in numeracy (-20.0)."


def test_one_prompt_rises_nowhere_and_one_category_is_not_said_twice() -> None:
    rows = _rows(all=(0.1, 0.1, 0.1), color=(0.0, -0.1, 0.1), numeracy=(0.5, 0.5, 0.5))
    assert by_category(rows.assign(prompts=[2, 1, 1]), "judge", Units("proportion")) == ""
    alone = _rows(all=(0.1, 0.02, 0.2), color=(0.1, 0.02, 0.2))
    assert by_category(alone, "judge", Units("proportion")) == ""
    assert categories_of(alone) == ["color"]
    assert categories_of(rows) == ["color", "numeracy", "all"]


def test_prompts_that_changed_most_are_shown_both_ways() -> None:
    names = list("abcdef")
    before = pd.DataFrame({"prompt_id": np.repeat(names, 2), "judge": [0.0, 1.0] * 6})
    change = {"a": 0.1, "b": -0.2, "c": 0.3, "d": 0.0, "e": 0.2, "f": -0.1}
    after = before.assign(judge=before["judge"] + before["prompt_id"].map(change))
    found = largest_changes(before, after, "judge", 5)
    assert found.prompts == ("c", "b", "e", "f", "a")
    assert (found.gained, found.lost, found.same) == (3, 2, 1)
    assert found.difference == pytest.approx(change)
    assert largest_changes(before, before, "judge", 2).prompts == ("a", "b")


def test_what_a_number_depends_on_names_version_and_antialias(tmp_path: Path) -> None:
    hps = HpsScore(path="xswu/HPSv2", revision="697403c", version="v2.1", antialias=False)
    (row,) = dependence_rows({"it": provenance_of(hps)})
    assert (row["name"], row["kind"], row["path"]) == ("it", "hps", "xswu/HPSv2")
    assert (row["revision"], row["dtype"]) == ("697403c", "float32")
    assert row["scale"].startswith("cosine") and "black padding" in row["preprocessing"]
    assert row["settings"].startswith("version v2.1; antialias False; tokenizer openai/clip")
    words = tmp_path / "words"
    words.mkdir()
    (words / "vocab.txt").write_text("a")
    own = provenance_of(hps.model_copy(update={"tokenizer": words}))
    (local,) = dependence_rows({"it": own})
    assert f"tokenizer {words} ({own['contents'][str(words)]})" in local["settings"]


def test_a_metric_of_several_networks_has_a_row_for_each() -> None:
    shipped = {"path": MODELS / "miniature-judge/judge.safetensors", "kind": "miniature"}
    metric = ThreeInOne(
        vqa={"path": MODELS / "miniature-vqa", "parser": "miniature"},
        spatial={"detector": shipped},
        clip={"path": MODELS / "miniature-clip"},
        parser="miniature",
    )
    rows = {row["name"]: row for row in dependence_rows({"three": provenance_of(metric)})}
    names = ["three", "three.vqa", "three.spatial.detector", "three.spatial", "three.clip"]
    assert sorted(rows) == sorted(names)
    assert rows["three"]["settings"] == "adjectives dropped; parser miniature"
    assert not rows["three"]["path"]
    clip = provenance_of(metric)["contents"][str(MODELS / "miniature-clip")]
    assert rows["three.clip"]["revision"] == clip
