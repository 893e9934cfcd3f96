from pathlib import Path

import pytest

from mitune.metrics import MetricError, Numeracy, Spatial2D, Spatial3D
from mitune.metrics.coverage import label_coverage, read_labels

DETECTOR = {"kind": "owlv2", "path": "nowhere"}
LABELS = ("Cat", "table, desk", "person", "wine glass")
PROMPTS = ["a cat next to a table", "a cat near a wallet", "a man near a cat", "a red car"]


def test_what_has_no_label_exactly_or_inside_of_one() -> None:
    report = label_coverage(PROMPTS, Spatial2D(detector=DETECTOR), LABELS)
    assert report["names"].tolist() == [("cat", "table"), ("cat", "wallet"), ("person", "cat"), ()]
    assert report["missing_exact"].tolist() == [("table",), ("wallet",), (), ()]
    assert report["missing_substring"].tolist() == [(), ("wallet",), (), ()]
    assert report["exact"].tolist() == [False, False, True, False]
    assert report["substring"].tolist() == [True, False, True, False]
    assert report["exact"].mean() == 0.25 and report["substring"].mean() == 0.5


def test_each_metric_asks_for_its_own_names() -> None:
    depth = Spatial3D(detector=DETECTOR, depth={"path": "nowhere"})
    report = label_coverage(["a glass behind a desk"], depth, LABELS)
    assert report.loc[0, "missing_exact"] == ("glass", "desk") and report.loc[0, "substring"]
    counts = Numeracy(detector=DETECTOR)
    report = label_coverage(["two wine glasses and one cat", "two women"], counts, LABELS)
    assert report["names"].tolist() == [("wine glass", "cat"), ("person",)]
    assert report["exact"].all()


def test_labels_are_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "labels.txt"
    with pytest.raises(MetricError, match=r"labels\.txt: not found"):
        read_labels(file)
    file.write_text("\r\n \n")
    with pytest.raises(MetricError, match="no labels"):
        read_labels(file)
    file.write_text("cat\r\n\r\n table, desk \r\n")
    assert read_labels(file) == ("cat", "table, desk")
