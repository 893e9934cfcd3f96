from pathlib import Path

import pandas as pd

from mitune.metrics import HpsScore, ThreeInOne
from mitune.pipelines.report.dependence import dependence_rows
from mitune.pipelines.report.page import verdict
from mitune.pipelines.shared.metrics import provenance_of
from tests.conftest import ROOT

MODELS = ROOT / "data/06_models"


def _rows(**differences: tuple[float, float, float]) -> pd.DataFrame:
    rows = [("judge", category, *d, 16) for category, d in differences.items()]
    names = ["metric", "category", "difference", "difference_low", "difference_high", "prompts"]
    return pd.DataFrame(rows, columns=names)


def test_a_difference_is_named_only_if_its_interval_leaves_zero() -> None:
    found = verdict("R=1", _rows(all=(0.05, 0.01, 0.09), color=(0.1, -0.01, 0.2)), "judge")
    assert found == "R=1 is 5.0 points of judge above the base (+1.0 to +9.0)."


def test_no_difference_is_said_to_be_none_and_a_fall_is_not_hidden() -> None:
    rows = _rows(all=(0.01, -0.02, 0.04), color=(0.1, 0.02, 0.2), numeracy=(-0.2, -0.3, -0.1))
    assert verdict("R=2", rows, "judge") == (
        "On judge, R=2 cannot be told from the base (-2.0 to +4.0 points). "
        "It rises in color (+10.0). It falls in numeracy (-20.0)."
    )


def test_one_prompt_rises_nowhere() -> None:
    rows = _rows(all=(0.01, -0.02, 0.04), numeracy=(0.5, 0.5, 0.5)).assign(prompts=[2, 1])
    assert verdict("R=2", rows, "judge").endswith("from the base (-2.0 to +4.0 points).")


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
        vqa={"path": MODELS / "miniature-vqa"},
        spatial={"detector": shipped},
        clip={"path": MODELS / "miniature-clip"},
    )
    rows = {row["name"]: row for row in dependence_rows({"three": provenance_of(metric)})}
    names = ["three", "three.vqa", "three.spatial.detector", "three.spatial", "three.clip"]
    assert sorted(rows) == sorted(names)
    assert rows["three"]["settings"] == "adjectives built_in" and not rows["three"]["path"]
    clip = provenance_of(metric)["contents"][str(MODELS / "miniature-clip")]
    assert rows["three.clip"]["revision"] == clip
