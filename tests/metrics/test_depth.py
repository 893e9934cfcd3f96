from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import BitConfig, DPTConfig, DPTForDepthEstimation

from mitune.metrics import MetricError, Spatial3D
from mitune.metrics.depth import Dpt
from mitune.metrics.detectors import MiniatureDetector
from mitune.miniature.render import render_all
from mitune.miniature.scene import Scene, Thing
from tests.conftest import SHIPPED

CPU = torch.device("cpu")
SMALL = {
    "hidden_size": 16,
    "num_hidden_layers": 4,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "image_size": 32,
    "neck_hidden_sizes": [8, 8, 8, 8],
    "fusion_hidden_size": 8,
    "use_auxiliary_head": False,
}


def _saved(config: DPTConfig, path: Path) -> Path:
    torch.manual_seed(0)
    model = DPTForDepthEstimation(config)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.1 * torch.randn_like(weight))
    model.save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small DPT with random weights."""
    config = DPTConfig(**SMALL, patch_size=8, backbone_out_indices=[0, 1, 2, 3])
    return _saved(config, tmp_path_factory.mktemp("dpt"))


@pytest.fixture(scope="module")
def hybrid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small DPT on convolutions, as the benchmark's is; trained at 32, used at 48."""
    backbone = BitConfig(
        embedding_size=8,
        hidden_sizes=[8, 16, 32],
        depths=[1, 1, 1],
        num_groups=4,
        layer_type="bottleneck",
        global_padding="same",
        embedding_dynamic_padding=True,
        out_features=["stage1", "stage2", "stage3"],
    )
    config = DPTConfig(
        **SMALL,
        patch_size=16,
        is_hybrid=True,
        backbone_config=backbone.to_dict(),
        backbone_featmap_shape=[1, 32, 2, 2],
        neck_ignore_stages=[0, 1],
        backbone_out_indices=[0, 1, 2, 3],
    )
    config.neck_hidden_sizes = [8, 16, 8, 8]
    return _saved(config, tmp_path_factory.mktemp("hybrid"))


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (5, 24, 40, 3), np.uint8)


def _straight(path: Path, image: np.ndarray, size: int) -> np.ndarray:
    """One picture by the model's own forward pass."""
    model = DPTForDepthEstimation.from_pretrained(path).eval()
    if model.config.is_hybrid:
        model.dpt.embeddings.image_size = (size, size)
    small = np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BICUBIC))
    with torch.inference_mode():
        pixels = torch.from_numpy(small / 127.5 - 1).permute(2, 0, 1)[None].float()
        depth = model(pixels).predicted_depth
    depth = (depth - depth.min()) / (depth.max() - depth.min())
    sized = torch.nn.functional.interpolate(depth[None], image.shape[:2], mode="bilinear")
    return sized[0, 0].numpy()


@pytest.mark.parametrize("which", ["folder", "hybrid"])
def test_dpt_is_the_models_own_forward_pass(
    which: str, images: np.ndarray, request: pytest.FixtureRequest
) -> None:
    path = request.getfixturevalue(which)
    whole = Dpt(path=path, size=48, batch_size=5).load(CPU)(images)
    assert whole.shape == (5, 24, 40) and whole.dtype == np.float32
    for found, image in zip(whole, images, strict=True):
        np.testing.assert_allclose(found, _straight(path, image, 48), atol=1e-4)
        assert found.min() >= 0 and found.max() <= 1 and np.ptp(found) > 0.5
    half = Dpt(path=path, size=48, dtype="bfloat16").load(CPU)(images[:1])
    np.testing.assert_allclose(half[0], whole[0], atol=0.1)
    parts = Dpt(path=path, size=48, batch_size=2).load(CPU)(images[::-1])
    np.testing.assert_allclose(parts[::-1], whole, atol=1e-4)


def test_a_map_without_depth_is_zero(folder: Path, images: np.ndarray, tmp_path: Path) -> None:
    model = DPTForDepthEstimation.from_pretrained(folder)
    torch.nn.init.zeros_(model.head.head[4].weight)
    model.save_pretrained(tmp_path)
    assert (Dpt(path=tmp_path, size=32).load(CPU)(images) == 0).all()


def test_spatial_3d_is_boxes_and_depth_put_together(folder: Path) -> None:
    """A circle over a square: half for what is found, and half of min(IoU / 0.5, 1) if nearer."""
    rng = np.random.default_rng(3)
    scenes = []
    for x, y in rng.uniform((8, -6), (16, 6), (6, 2)):
        back = Thing("square", "red", "plain", 25, 32, 13)
        scenes.append(Scene((back, Thing("circle", "blue", "plain", 25 + x, 32 + y, 13))))
    pictures = render_all(scenes)
    detector = MiniatureDetector(path=SHIPPED / "miniature-judge" / "judge.safetensors")
    prompts = ["a circle in front of a square", "a circle hidden by a square"] * 3
    metric = Spatial3D(detector=detector, depth=Dpt(path=folder, size=48, batch_size=4))
    found = metric.load(CPU)(pictures, prompts)
    hits = 0
    boxes = detector.load(CPU)(pictures, [("circle", "square")] * 6)
    for i, seen in enumerate(boxes):
        circle, square = seen.labels.index("circle"), seen.labels.index("square")
        depth = _straight(folder, pictures[i], 48)
        means = []
        for left, top, right, bottom in seen.xyxy[[circle, square]]:
            rows = slice(int(np.floor(top)), int(np.ceil(bottom)))
            means.append(depth[rows, int(np.floor(left)) : int(np.ceil(right))].mean())
        sign = 1 if i % 2 == 0 else -1
        expected = 0.25 * (seen.scores[circle] + seen.scores[square])
        if sign * (means[0] - means[1]) > 0:
            low, high = (pick(seen.xyxy, axis=0) for pick in (np.max, np.min))
            shared = np.prod(high[2:] - low[:2])
            either = np.prod(seen.xyxy[:, 2:] - seen.xyxy[:, :2], axis=1).sum() - shared
            assert 0.1 < shared / either < 0.6
            expected += 0.5 * min(shared / either / 0.5, 1)
            hits += 1
        assert found[i] == pytest.approx(expected, abs=1e-5), i
    assert 0 < hits < 6
    alone = [metric.load(CPU)(pictures[i : i + 1], prompts[i : i + 1])[0] for i in (0, 3, 5)]
    np.testing.assert_allclose(alone, found[[0, 3, 5]], atol=1e-6)
    nothing = metric.load(CPU)(np.zeros_like(pictures[:1]), prompts[:1])
    assert nothing.tolist() == [0]


def test_weights_that_cannot_be_read_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(MetricError, match="DPT model cannot be read") as caught:
        Dpt(path=tmp_path).load(CPU)
    assert str(tmp_path) in str(caught.value) and "\n" not in str(caught.value)
