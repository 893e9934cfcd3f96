import numpy as np
import pandas as pd
import pytest

from mitune.paper_tables import (
    T2I_COMPBENCH,
    Comparison,
    PaperTableError,
    beside,
    comparison,
    for_table,
    published_tables,
)
from mitune.paper_tables.text import as_text
from tests.conftest import ROOT

CARRIED = ROOT.parent / "shared/data/paper_tables"
COLUMNS = ["source", "table", "method", "category", "metric", "value", "unit", "status", "note"]
LABELS = {"base": "base", "round_1": "MI-TUNE R=1"}


def summary(metric: str, categories=("color", "2d_spatial", "all")) -> pd.DataFrame:
    rows = [
        (model, category, metric, mean, mean - 0.02, mean + 0.03, 300, 3000)
        for model, mean in (("base", 0.48), ("round_1", 0.6))
        for category in categories
    ]
    columns = ["model", "category", "metric", "mean", "low", "high", "prompts", "images"]
    return pd.DataFrame(rows, columns=columns)


def test_every_row_has_a_value_or_says_why_not() -> None:
    rows = published_tables()
    assert len(rows) == 794 and rows["file"].nunique() == 20
    assert list(rows)[: len(COLUMNS)] == COLUMNS
    absent = rows["status"].isin(["missing", "not_available_in_paper"])
    assert set(rows[~absent]["status"]) == {"read", "derived", "from_table_1"}
    assert (rows[absent]["value"] == "").all()
    assert np.isfinite(rows[~absent]["value"].astype(float)).all()
    cell = ["file", "table", "method", "category", "metric", "unit"]
    assert not rows.duplicated(cell).any()


def test_means_of_table_1_are_those_of_its_cells() -> None:
    """The one rule of aggregation that the table's own numbers confirm."""
    rows = published_tables()
    table = rows[rows["file"] == "mitune_table01_alignment_sd21"]
    for (_, metric), part in table.groupby(["method", "metric"]):
        cells = part.set_index("category")["value"].astype(float)
        if metric != "human":
            assert cells.drop("avg").mean() == pytest.approx(cells["avg"], abs=0.011)


@pytest.mark.skipif(not CARRIED.is_dir(), reason="the tables' source is not at hand")
def test_no_figure_was_changed_on_the_way() -> None:
    rows = published_tables()
    for name, part in rows.groupby("file"):
        source = pd.read_csv(CARRIED / f"{name}.csv", dtype=str, keep_default_na=False)
        for column in ("method", "category", "metric", "value", "status"):
            assert list(part[column]) == list(source[column])


def test_only_the_same_metric_stands_beside_ours_on_the_same_scale() -> None:
    found = beside(summary("vqa"), {"vqa": "blip_vqa"}, T2I_COMPBENCH, LABELS)
    assert found.apart == ()
    panels = {panel.table: panel for panel in found.panels}
    assert set(panels) == {
        "mitune_table01_alignment_sd21", "mitune_table03_10_ft_set_selection",
        "mitune_table04_sdxl", "mitune_table11_set_size", "mitune_table12_adapters",
        "mitune_table13_combining",
    }  # fmt: skip
    first = panels["mitune_table01_alignment_sd21"]
    assert first.categories == ("color",)  # 2D-spatial there is UniDet's, and means mix both
    cells = {row.name: row.cells[0].text for row in first.rows}
    assert cells["SD-2.1-base"] == "49.65" and cells["MI-TUNE"] == "65.04"
    ours = [row for row in first.rows if row.ours]
    assert [row.cells[0].text for row in ours] == ["48.00", "60.00"]
    assert ours[0].cells[0].status == "46.0 to 51.0"
    assert ours[1].name == "MI-TUNE R=1, 3000 images of 300 prompts"
    large = {row.name: row.cells[0] for row in panels["mitune_table04_sdxl"].rows if not row.ours}
    assert set(large) == {"SDXL (ref)", "MI-TUNE (SDXL)", "SD-2.1-base"}  # and no gains
    assert large["SDXL (ref)"].status == "derived"
    assert any("September 2025" in note for note in first.notes)


def test_unidet_stands_beside_unidet() -> None:
    found = beside(summary("boxes"), {"boxes": "unidet"}, T2I_COMPBENCH, LABELS)
    assert {panel.categories for panel in found.panels} == {("spatial_2d",)}
    flow = next(panel for panel in found.panels if panel.table == "rfmi_table1")
    assert [row.name for row in flow.rows if not row.ours] == ["SD3.5-M", "RFMI FT"]


@pytest.mark.parametrize(
    ("name", "benchmark", "reason"),
    [
        (None, T2I_COMPBENCH, "no published table has this metric"),
        ("clip_b32", T2I_COMPBENCH, "no published table has this metric"),
        ("blip_vqa", None, "on other test prompts"),
        ("hps_v2.1", T2I_COMPBENCH, "hps of these categories does not state its version"),
        ("unidet_depth", T2I_COMPBENCH, "not for these categories"),
    ],
)
def test_what_may_not_be_compared_stands_apart(name, benchmark, reason: str) -> None:
    found = beside(summary("ours"), {"ours": name}, benchmark, LABELS)
    assert found.panels == ()
    (sentence,) = found.apart
    assert sentence.startswith("ours: ") and reason in sentence


def test_every_sign_of_a_gain_is_in_the_tables() -> None:
    methods = set(published_tables()["method"])
    for sign in comparison._DIFFERENCES:
        assert any(sign in method for method in methods), sign


def test_a_table_is_shown_whole_with_its_status() -> None:
    found = beside(summary("vqa"), {"vqa": "blip_vqa"}, T2I_COMPBENCH, LABELS)
    panels = for_table("mitune_table04", found)
    lines = [line for panel in panels for line in as_text(panel)]
    heading = lines[0]
    assert heading.startswith("mitune_table04_sdxl: MI-TUNE (ICLR 2025), table 4, ")
    shown = " ".join(next(x for x in lines if x.startswith("SDXL (ref)")).split())
    assert shown.startswith("SDXL (ref) 60.78 (derived) 49.70 (derived) 55.78")
    assert any(line.startswith("ours: base, 3000 images of 300 prompts") for line in lines)
    hps = [panel for panel in panels if panel.metric == "hps"]
    assert {c.status for panel in hps for row in panel.rows for c in row.cells} == {"missing"}
    everything = for_table("", Comparison((), ()))
    cells = sum(len(row.cells) for panel in everything for row in panel.rows)
    assert cells >= len(published_tables())
    with pytest.raises(PaperTableError, match="no published table 'mitune_table99'; choose of"):
        for_table("mitune_table99", found)
