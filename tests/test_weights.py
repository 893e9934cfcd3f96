"""A tensor too few, too many, of another shape or of no number is named, whoever reads the file."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from mitune.backbones import ModelRef, open_backbone
from mitune.backbones.prompt_length import unread
from mitune.errors import UserError
from mitune.metrics import BlipVqa, ClipScore, JudgeScore
from mitune.metrics.checkpoint import tensors
from mitune.weights import WeightsError
from tests.conftest import SHIPPED

CPU = torch.device("cpu")
NETWORK = "diffusion_pytorch_model.safetensors"
State = dict[str, torch.Tensor]


def _without(state: State, name: str) -> None:
    del state[name]


def _with_another(state: State, name: str) -> None:
    state["nobody.weight"] = torch.zeros(2)


def _not_a_number(state: State, name: str) -> None:
    state[name] = state[name].clone()
    state[name].view(-1)[-1] = torch.nan


def _infinite(state: State, name: str) -> None:
    state[name] = torch.full_like(state[name], torch.inf)


def _ref(folder: Path) -> ModelRef:
    return ModelRef(str(folder), "copy")


def _open(folder: Path) -> object:
    return open_backbone(_ref(folder), CPU)


PARTS: dict[str, tuple[str, str, Callable[[Path], object]]] = {
    "unet": ("miniature-sd", f"unet/{NETWORK}", _open),
    "vae": ("miniature-sd", f"vae/{NETWORK}", _open),
    "text encoder": ("miniature-sd", "text_encoder/model.safetensors", _open),
    "second text encoder": ("miniature-sd3", "text_encoder_2/model.safetensors", _open),
    "transformer": ("miniature-sd3", f"transformer/{NETWORK}", _open),
    "clip": ("miniature-clip", "model.safetensors", lambda f: ClipScore(path=f).load(CPU)),
    "vqa": ("miniature-vqa", "model.safetensors", lambda f: BlipVqa(path=f).load(CPU)),
    "judge": (
        "miniature-judge",
        "judge.safetensors",
        lambda f: JudgeScore(path=f / "judge.safetensors").load(CPU),
    ),
}
DAMAGES = {
    _without: "tensor {name} is missing",
    _with_another: "tensor nobody.weight is no part of a",
    _not_a_number: "tensor {name} is not finite",
    _infinite: "tensor {name} is not finite",
}


def _damaged(part: str, damage: Callable[[State, str], None], folder: Path) -> tuple[Path, str]:
    """(the file, a tensor of it) of a copy whose last weight is damaged."""
    source, file, _ = PARTS[part]
    shutil.copytree(SHIPPED / source, folder)
    state = load_file(folder / file)
    name = max(name for name in state if name.endswith("weight"))
    damage(state, name)
    save_file(state, folder / file, metadata={"format": "pt"})
    return folder / file, name


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda f: f.__name__.strip("_"))
@pytest.mark.parametrize("part", PARTS)
def test_a_network_is_whole_or_refused(
    part: str, damage: Callable[[State, str], None], tmp_path: Path
) -> None:
    folder = tmp_path / PARTS[part][0]
    file, name = _damaged(part, damage, folder)
    with pytest.raises(WeightsError) as caught:
        PARTS[part][2](folder)
    said = str(caught.value)
    assert said.startswith(f"{file}: {DAMAGES[damage].format(name=name)}")
    assert "restore" in said and "\n" not in said


@pytest.mark.parametrize("part", PARTS)
def test_a_tensor_of_another_shape_is_refused(part: str, tmp_path: Path) -> None:
    folder = tmp_path / PARTS[part][0]

    def stretch(state: State, name: str) -> None:
        state[name] = torch.zeros(3, 1, 4, 1, 5)

    _damaged(part, stretch, folder)
    with pytest.raises(UserError) as caught:
        PARTS[part][2](folder)
    assert str(folder) in str(caught.value) and "\n" not in str(caught.value)


def test_a_released_checkpoint_is_finite(tmp_path: Path) -> None:
    file = tmp_path / "head.pth"
    torch.save({"layers.0.weight": torch.tensor([[1.0, torch.inf]])}, file)
    with pytest.raises(WeightsError, match=r"head\.pth: tensor layers\.0\.weight is not finite"):
        tensors(file)


TOKENIZERS: dict[str, tuple[str, str, Callable[[Path], object]]] = {
    "model": ("miniature-sd", "tokenizer/tokenizer.json", _open),
    "second of a model": ("miniature-sd3", "tokenizer_2/tokenizer.json", _open),
    "prompts": ("miniature-sd", "tokenizer/tokenizer.json", lambda f: unread(_ref(f), ["a"])),
    "clip": ("miniature-clip", "tokenizer.json", lambda f: ClipScore(path=f).load(CPU)),
    "vqa": ("miniature-vqa", "tokenizer.json", lambda f: BlipVqa(path=f).load(CPU)),
}


@pytest.mark.parametrize("of", TOKENIZERS)
def test_a_tokenizer_without_its_vocabulary_is_refused(of: str, tmp_path: Path) -> None:
    """transformers makes one that reads every prompt as the same."""
    source, file, read = TOKENIZERS[of]
    folder = tmp_path / source
    shutil.copytree(SHIPPED / source, folder)
    (folder / file).unlink()
    with pytest.raises(WeightsError) as caught:
        read(folder)
    said = str(caught.value)
    assert said.startswith(f"{(folder / file).parent}: the tokenizer knows no word; its vocabulary")
    assert "restore" in said and "\n" not in said
