from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import TypeAdapter
from transformers import AutoTokenizer, Owlv2Config, Owlv2ForObjectDetection

from mitune.metrics import MetricConfig, MetricError
from mitune.metrics.boxes import Boxes, iou
from mitune.metrics.detectors import Owlv2
from tests.conftest import SHIPPED

CPU = torch.device("cpu")
QUERIES = [("circle", "star"), (), ("square",), ("star", "star"), ("cross", "circle", "triangle")]
SIDE, PATCH = 32, 8


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small OWLv2 with random weights, and the miniature's tokenizer."""
    path = tmp_path_factory.mktemp("owlv2")
    tokenizer = AutoTokenizer.from_pretrained(SHIPPED / "miniature-clip")
    layers = {"num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    config = Owlv2Config(
        text_config={
            **layers,
            "hidden_size": 16,
            "vocab_size": len(tokenizer),
            "max_position_embeddings": 24,
            "pad_token_id": tokenizer.pad_token_id,
            "bos_token_id": tokenizer.bos_token_id,
            "eos_token_id": tokenizer.eos_token_id,
        },
        vision_config={**layers, "hidden_size": 24, "image_size": SIDE, "patch_size": PATCH},
        projection_dim=16,
    )
    torch.manual_seed(0)
    model = Owlv2ForObjectDetection(config)
    # Initial heads put every box into a corner; these overlap in the picture.
    with torch.no_grad():
        for head in (model.box_head, model.class_head):
            for weight in head.parameters():
                weight.mul_(0.25)
        model.box_head.dense2.bias[2:] += 1.0
    model.save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (len(QUERIES), SIDE, SIDE, 3), np.uint8)


def _straight(folder: Path, image: np.ndarray, names: tuple[str, ...]) -> list:
    """(label, score, box) of one picture by the model's own forward pass, before suppression."""
    model = Owlv2ForObjectDetection.from_pretrained(folder).eval()
    tokens = AutoTokenizer.from_pretrained(folder)(
        [f"a photo of a {name}" for name in names], padding=True, return_tensors="pt"
    )
    pixels = torch.from_numpy(image / 255.0).permute(2, 0, 1)[None]
    mean = torch.tensor([0.48145466, 0.4578275, 0.40821073])[:, None, None]
    std = torch.tensor([0.26862954, 0.26130258, 0.27577711])[:, None, None]
    with torch.inference_mode():
        out = model(**tokens, pixel_values=((pixels - mean) / std).float())
    rows = []
    for logits, (x, y, w, h) in zip(out.logits[0], out.pred_boxes[0].tolist(), strict=True):
        best = int(logits.argmax())
        sides = np.clip([x - w / 2, y - h / 2, x + w / 2, y + h / 2], 0, 1)
        rows.append((names[best], float(logits[best].sigmoid()), SIDE * sides))
    return sorted(rows, key=lambda row: -row[1])


def _assert_equal(found: Boxes, labels: list, scores: list, boxes: list) -> None:
    assert found.labels == tuple(labels)
    np.testing.assert_allclose(found.scores, scores, atol=1e-5)
    np.testing.assert_allclose(found.xyxy, np.reshape(boxes, (-1, 4)), atol=1e-3)


def test_owlv2_is_the_models_own_forward_pass(folder: Path, images: np.ndarray) -> None:
    detect = Owlv2(path=folder, threshold=0.0, nms=1.0).load(CPU)
    found = detect(images, QUERIES)
    assert found[1].labels == ()
    for i in (0, 2, 4):
        rows = _straight(folder, images[i], QUERIES[i])
        assert len(rows) == (SIDE // PATCH) ** 2
        _assert_equal(found[i], *map(list, zip(*rows, strict=True)))
    assert len(set(found[4].labels)) > 1 and np.ptp(found[4].scores) > 0.05


def test_threshold_and_suppression(folder: Path, images: np.ndarray) -> None:
    rows = _straight(folder, images[4], QUERIES[4])
    threshold = float(np.median([score for _, score, _ in rows]))
    kept: list = []
    for label, score, box in rows:
        rivals = [other for name, _, other in kept if name == label]
        if score > threshold and all(iou(box, other) <= 0.1 for other in rivals):
            kept.append((label, score, box))
    detect = Owlv2(path=folder, threshold=threshold, nms=0.1).load(CPU)
    assert 0 < len(kept) < sum(score > threshold for _, score, _ in rows)
    _assert_equal(detect(images[4:], QUERIES[4:])[0], *map(list, zip(*kept, strict=True)))


def test_boxes_do_not_depend_on_the_batch(folder: Path, images: np.ndarray) -> None:
    whole = Owlv2(path=folder, threshold=0.1, batch_size=5).load(CPU)(images, QUERIES)
    parts = Owlv2(path=folder, threshold=0.1, batch_size=2).load(CPU)
    last = parts(images[::-1], QUERIES[::-1])[::-1]
    for one, other in zip(whole, last, strict=True):
        _assert_equal(one, list(other.labels), list(other.scores), list(other.xyxy))
    assert any(len(boxes.labels) for boxes in whole)


def test_half_precision_is_the_same_up_to_rounding(folder: Path, images: np.ndarray) -> None:
    settings = {"path": folder, "threshold": 0.0, "nms": 1.0}
    whole, half = (
        Owlv2(**settings, dtype=dtype).load(CPU)(images[2:3], QUERIES[2:3])[0]
        for dtype in ("float32", "float16")
    )
    np.testing.assert_allclose(half.scores, whole.scores, atol=0.01)
    np.testing.assert_allclose(np.sort(half.xyxy, 0), np.sort(whole.xyxy, 0), atol=0.2)


def test_a_wide_picture_is_a_square_one_with_grey_below(folder: Path, images: np.ndarray) -> None:
    square = images[:1].copy()
    square[:, SIDE // 2 :] = 128
    detect = Owlv2(path=folder, threshold=0.0, nms=1.0).load(CPU)
    whole, wide = (detect(picture, QUERIES[:1])[0] for picture in (square, square[:, : SIDE // 2]))
    here = whole.xyxy[:, 1] < SIDE // 2
    cut = np.minimum(whole.xyxy[here], [SIDE, SIDE // 2, SIDE, SIDE // 2])
    _assert_equal(wide, list(np.array(whole.labels)[here]), list(whole.scores[here]), list(cut))
    assert 0 < here.sum() < len(here)


def test_weights_that_cannot_be_read_are_one_line(folder: Path, tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(MetricError, match=r"OWLv2 model (cannot|is not there)") as caught:
            Owlv2(path=path).load(CPU)
        assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_provenance_and_sources_reach_into_the_parts() -> None:
    config = TypeAdapter(MetricConfig).validate_python(
        {
            "kind": "spatial_3d_ovd",
            "detector": {"kind": "owlv2", "path": "owl", "revision": "abc", "batch_size": 3},
            "depth": {"path": "dpt", "dtype": "float16"},
        }
    )
    assert config.files == {"depth.path": Path("dpt")}  # the detector is a hub id
    found = config.provenance
    assert found["detector.revision"] == "abc" and found["depth.dtype"] == "float16"
    assert found["depth.size"] == "480" and found["detector.threshold"] == "0.2"
    assert found["official_axes"] == "False" and "UniDet" in found["scale"]
    assert "grey" in found["detector.preprocessing"] and "detector.batch_size" not in found
    plain = TypeAdapter(MetricConfig).validate_python({"kind": "judge", "path": "x"})
    assert plain.files == {"path": plain.path} and plain.provenance["path"] == "x"
