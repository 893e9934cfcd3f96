"""Embedders on small random models of the real classes, against straight-line code."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from pydantic import BaseModel, TypeAdapter
from transformers import CLIPConfig, CLIPModel, Dinov2Config, Dinov2Model

from mitune.metrics import MetricError
from mitune.metrics.embedders import ClipImage, Dino, EmbedderConfig, Inception
from mitune.metrics.features import embed
from mitune.metrics.pixels import CLIP_MEAN, CLIP_STD
from tests.conftest import SHIPPED

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    """Smooth, so that resizing has something to do; wider than high."""
    small = np.random.default_rng(0).integers(0, 256, (5, 6, 8, 3), np.uint8)
    return np.stack([np.asarray(Image.fromarray(x).resize((80, 60))) for x in small])


@pytest.fixture(scope="module")
def dino(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("dino")
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = Dinov2Config(image_size=70, patch_size=14, **sizes)
    Dinov2Model(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    """With the size of OpenAI's L/14 at 336, and nothing else of it."""
    folder = tmp_path_factory.mktemp("clip")
    torch.manual_seed(0)
    small = {"hidden_size": 16, "intermediate_size": 16, "num_attention_heads": 2}
    config = CLIPConfig(
        text_config={**small, "num_hidden_layers": 1, "vocab_size": 700},
        vision_config={**small, "num_hidden_layers": 2, "image_size": 336, "patch_size": 14},
        projection_dim=8,
    )
    CLIPModel(config).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).write_bytes((SHIPPED / "miniature-clip" / name).read_bytes())
    return folder


def test_dino_is_the_class_token_of_stretched_pictures(dino: Path, pictures: np.ndarray) -> None:
    found = Dino(path=dino).load(CPU)(pictures)
    model = Dinov2Model.from_pretrained(dino).eval()
    for vector, picture in zip(found, pictures, strict=True):
        sized = Image.fromarray(picture).resize((224, 224), Image.Resampling.BICUBIC)
        values = torch.tensor(np.asarray(sized), dtype=torch.float32) / 255
        values = (values - torch.tensor([0.485, 0.456, 0.406])) / torch.tensor(
            [0.229, 0.224, 0.225]
        )
        with torch.no_grad():
            hidden = model.encoder(model.embeddings(values.permute(2, 0, 1)[None]))
            truth = model.layernorm(hidden.last_hidden_state)[0, 0]
        np.testing.assert_allclose(vector, truth.numpy(), atol=2e-5)
    assert found.shape == (5, 16) and found.dtype == np.float64


def test_clip_is_the_unit_projection_of_the_middle_square(clip: Path, pictures: np.ndarray) -> None:
    found = ClipImage(path=clip, mean=CLIP_MEAN, std=CLIP_STD).load(CPU)(pictures)
    model = CLIPModel.from_pretrained(clip).eval()
    for vector, picture in zip(found, pictures, strict=True):
        square = Image.fromarray(picture).crop((10, 0, 70, 60))
        sized = square.resize((336, 336), Image.Resampling.BICUBIC)
        values = torch.tensor(np.asarray(sized), dtype=torch.float32) / 255
        values = (values - torch.tensor(CLIP_MEAN)) / torch.tensor(CLIP_STD)
        with torch.no_grad():
            pooled = model.vision_model(values.permute(2, 0, 1)[None]).pooler_output
            truth = model.visual_projection(pooled)[0]
        np.testing.assert_allclose(vector, (truth / truth.norm()).numpy(), atol=2e-5)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)


def test_torchscript_inception_gets_bytes_and_gives_features(
    tmp_path: Path, pictures: np.ndarray
) -> None:
    class Traced(torch.nn.Module):
        def forward(self, x: torch.Tensor, return_features: bool = False) -> torch.Tensor:
            assert x.dtype == torch.uint8 and return_features
            return x.float().mean(dim=(2, 3), keepdim=True)

    torch.jit.script(Traced()).save(str(tmp_path / "inception.pt"))
    config = Inception(path=tmp_path / "inception.pt", network="torchscript", batch_size=2)
    np.testing.assert_allclose(config.load(CPU)(pictures), pictures.mean((1, 2)), rtol=1e-5)


def test_inception_of_torch_fidelity(tmp_path: Path, pictures: np.ndarray) -> None:
    module = pytest.importorskip("torch_fidelity.feature_extractor_inceptionv3")
    torch.manual_seed(0)

    class Blank(module.FeatureExtractorInceptionV3):
        def load_state_dict(self, *_: object) -> None:
            """Weights as they are drawn: the published ones are not at hand."""

    torch.save({}, tmp_path / "empty.pth")
    blank = Blank("inception-v3-compat", ["2048"], str(tmp_path / "empty.pth"))
    torch.save(blank.state_dict(), tmp_path / "inception.pth")
    found = Inception(path=tmp_path / "inception.pth", batch_size=2).load(CPU)(pictures)
    with torch.no_grad():
        (truth,) = blank(torch.tensor(pictures).permute(0, 3, 1, 2))
    np.testing.assert_allclose(found, truth.numpy(), rtol=1e-4, atol=1e-5)
    assert found.shape == (5, 2048) and found.std() > 0


def test_without_torch_fidelity_one_line_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch_fidelity.feature_extractor_inceptionv3", None)
    with pytest.raises(MetricError, match=r"pip install 'mitune\[quality\]'"):
        Inception(path=tmp_path / "inception.pth").load(CPU)


@pytest.mark.parametrize("kind", ["clip", "dino", "inception"])
def test_missing_weights_are_one_line(kind: str, tmp_path: Path) -> None:
    given = {"kind": kind, "path": tmp_path / "nowhere"}
    if kind == "inception":
        given["network"] = "torchscript"
    config = TypeAdapter(EmbedderConfig).validate_python(given)
    with pytest.raises(MetricError, match=r"nowhere: .* is not there") as caught:
        config.load(CPU)
    assert "\n" not in str(caught.value)


def test_vectors_do_not_depend_on_the_batch(dino: Path, pictures: np.ndarray) -> None:
    images = np.concatenate([pictures[:, :, :60]] * 2)
    configs = [Dino(path=dino), ClipImage(path=SHIPPED / "miniature-clip")]
    for config in configs:
        whole = config.load(CPU)(images)
        for size in (1, 7):
            parts = config.model_copy(update={"batch_size": size})
            np.testing.assert_allclose(parts.load(CPU)(images), whole, atol=2e-6)
            assert parts.provenance == config.provenance


def test_provenance_says_what_numbers_depend_on() -> None:
    config: BaseModel = ClipImage(path=SHIPPED / "miniature-clip")
    found = embed(
        [(np.zeros((2, 64, 64, 3), np.uint8), np.array(["p", "p"]))], {"clip": config}, CPU
    )["clip"]
    assert found.provenance["kind"] == "clip" and found.provenance["dtype"] == "float32"
    assert "crop" in found.provenance["preprocessing"] and found.vectors.shape == (2, 64)
    with pytest.raises(MetricError, match="no pictures"):
        embed([], {"clip": config}, CPU)
