"""Every tensor of a file becomes a parameter by its name, and every parameter has its tensor."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from mitune.backbones import AdapterRef, ModelRef, open_backbone
from mitune.backbones.base import Backbone
from mitune.training import adapters
from mitune.training.adapter_weights import WEIGHTS
from mitune.training.adapters import AdapterSettings
from mitune.weights import WeightsError
from tests.conftest import SHIPPED

CPU = torch.device("cpu")
State = dict[str, torch.Tensor]


def _opened(folder: str) -> Backbone:
    return open_backbone(ModelRef(str(SHIPPED / folder), folder), CPU)


def _saved(folder: Path, of: str = "miniature-sd", **settings: object) -> AdapterRef:
    backbone = _opened(of)
    adapters.attach(backbone, AdapterSettings(rank=2, alpha=2, **settings), seed=0)
    generator = torch.Generator().manual_seed(0)
    for name, parameter in backbone.network.named_parameters():
        if "lora_B" in name:
            parameter.data = torch.randn(parameter.shape, generator=generator)
    adapters.save(backbone, folder, {"round": 1})
    return AdapterRef(str(folder), round=1)


@pytest.mark.parametrize("of", ["miniature-sd", "miniature-sd3"])
@pytest.mark.parametrize("kind", ["dora", "lora"])
@pytest.mark.parametrize("targets", ["attention", "attention_and_feed_forward"])
def test_what_was_saved_is_loaded_by_name(of: str, kind: str, targets: str, tmp_path: Path) -> None:
    adapter = _saved(tmp_path, of, kind=kind, targets=targets)
    backbone = _opened(of)
    adapters.load(backbone, adapter)
    state = load_file(tmp_path / WEIGHTS)
    names = [n for n, _ in backbone.network.named_parameters() if "lora_" in n]
    assert len(names) == len(state)


def test_an_adapter_of_another_family_is_refused(tmp_path: Path) -> None:
    adapter = _saved(tmp_path, "miniature-sd")
    with pytest.raises(WeightsError) as caught:
        adapters.load(_opened("miniature-sd3"), adapter)
    first = "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_k.lora.down.weight"
    assert str(caught.value) == (
        f"{tmp_path / WEIGHTS}: tensor {first} is not of the transformer; name the "
        "adapter of this model, or rerun the finetune stage that wrote it"
    )


UP = "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_k.lora.up.weight"


def _without(state: State) -> None:
    del state[UP]


def _misspelt(state: State) -> None:
    state[UP.replace("to_k", "to_nobody")] = state.pop(UP)


def _of_text(state: State) -> None:
    state["text_encoder.text_model.encoder.layers.0.self_attn.q_proj.lora.down.weight"] = (
        torch.zeros(2, 64)
    )


def _not_a_number(state: State) -> None:
    state[UP][0, 0] = torch.nan


def _nothing(state: State) -> None:
    state.clear()


DAMAGES: dict[Callable[[State], None], str] = {
    _without: UP.replace(".lora.up.", ".lora_B.") + " is missing",
    _misspelt: UP.replace("to_k", "to_nobody") + " is no part of a UNet2DConditionModel",
    _of_text: "q_proj.lora.down.weight is not of the unet",
    _not_a_number: UP + " is not finite",
    _nothing: "no tensors",
}


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda f: f.__name__.strip("_"))
def test_a_file_that_is_not_whole_is_refused(
    damage: Callable[[State], None], tmp_path: Path
) -> None:
    adapter = _saved(tmp_path, targets="attention")
    with safe_open(tmp_path / WEIGHTS, framework="pt") as file:
        metadata = file.metadata()
    state = load_file(tmp_path / WEIGHTS)
    damage(state)
    save_file(state, tmp_path / WEIGHTS, metadata=metadata)
    with pytest.raises(WeightsError) as caught:
        adapters.load(_opened("miniature-sd"), adapter)
    said = str(caught.value)
    assert said.startswith(f"{tmp_path / WEIGHTS}: ") and DAMAGES[damage] in said
