from pathlib import Path

import pytest

from mitune.metrics import MetricError, Numeracy, Spatial2D, Spatial3D, ThreeInOne
from mitune.metrics.coverage import label_coverage, read_labels

DETECTOR = {"kind": "owlv2", "path": "nowhere"}
LABELS = ("Cat", "table, desk", "person", "wine glass")
PROMPTS = ["a cat next to a table", "a cat near a wallet", "a man near a cat", "a red car"]


def test_in_2d_a_label_must_equal_the_name() -> None:
    report = label_coverage(PROMPTS, Spatial2D(detector=DETECTOR), LABELS)
    assert report["names"].tolist() == [("cat", "table"), ("cat", "wallet"), ("person", "cat"), ()]
    assert report["missing"].tolist() == [("table",), ("wallet",), (), ()]
    assert report["covered"].tolist() == [False, False, True, False]


def test_in_3d_and_numeracy_a_label_may_contain_it() -> None:
    depth = Spatial3D(detector=DETECTOR, depth={"path": "nowhere"})
    report = label_coverage(["a glass behind a desk", "a wallet behind a desk"], depth, LABELS)
    assert report["missing"].tolist() == [(), ("wallet",)]
    assert report["covered"].tolist() == [True, False]
    counts = Numeracy(detector=DETECTOR)
    report = label_coverage(["two wine glasses and one table", "two women"], counts, LABELS)
    assert report["names"].tolist() == [("wine glass", "table"), ("person",)]
    assert report["covered"].all()


def test_of_3_in_1_only_prompts_with_a_spatial_part_count() -> None:
    vqa = {"path": "nowhere"}
    both = ThreeInOne(vqa=vqa, spatial=Spatial2D(detector=DETECTOR), clip={"path": "nowhere"})
    action, spatial = "a cat eats a fish", "a cat is next to a table"
    report = label_coverage([action, spatial, "a cat sat next to a person"], both, LABELS)
    assert report["prompt"].tolist() == [spatial, "a cat sat next to a person"]
    assert report["missing"].tolist() == [("table",), ()]
    assert report["covered"].tolist() == [False, True]
    assert label_coverage([action], both, LABELS).empty


def test_labels_are_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "labels.txt"
    with pytest.raises(MetricError, match=r"labels\.txt: not found"):
        read_labels(file)
    file.write_text("\r\n \n")
    with pytest.raises(MetricError, match="no labels"):
        read_labels(file)
    file.write_text("cat\r\n\r\n table, desk \r\n")
    assert read_labels(file) == ("cat", "table, desk")
