"""Merged adapters on whole models: against fused weights, and in plain diffusers."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import DiffusionPipeline, StableDiffusionPipeline
from peft import LoraConfig
from torch import Tensor

from mitune.backbones import AdapterRef, ModelRef, open_backbone
from mitune.backbones.model_index import absent_parts, model_index
from mitune.errors import UserError
from mitune.training import adapters, merging
from mitune.weights import WeightsError
from tests.conftest import SHIPPED
from tests.contracts.tiny import build

CPU = torch.device("cpu")
# Convolutions too: conv1 of the UNets, the patches of the transformer.
CONFIGS = (
    LoraConfig(
        r=4, lora_alpha=8, use_dora=True, target_modules=["to_q", "conv1", "pos_embed.proj"]
    ),
    LoraConfig(r=2, lora_alpha=2, target_modules=["to_q", "ff.net.2", "pos_embed.proj"]),
    LoraConfig(r=3, lora_alpha=3, use_dora=True, target_modules=["to_q", "to_k", "conv1"]),
)
SHARES = (0.5, 0.2, 0.3)


@pytest.fixture(scope="module", params=["miniature", "sd", "sdxl", "sd3"])
def model(request, tmp_path_factory) -> ModelRef:
    if request.param == "miniature":
        return ModelRef(str(SHIPPED / "miniature-sd"), "shipped")
    path = tmp_path_factory.mktemp(request.param)
    build(request.param).save_pretrained(path)
    return ModelRef(str(path), request.param)


@pytest.fixture(scope="module")
def parts(model: ModelRef, tmp_path_factory) -> list[AdapterRef]:
    """Adapters of several kinds, ranks and layers, far enough from the base to be seen."""
    return [
        _adapter(model, c, seed, tmp_path_factory.mktemp("part")) for seed, c in enumerate(CONFIGS)
    ]


def _adapter(model: ModelRef, config: LoraConfig, seed: int, folder: Path) -> AdapterRef:
    backbone = open_backbone(model, CPU)
    backbone.network.add_adapter(config, adapter_name=adapters.NAME)
    generator = torch.Generator().manual_seed(seed)
    for name, values in backbone.network.named_parameters():
        noise = torch.randn(values.shape, generator=generator)
        if "lora_magnitude" in name:
            values.data *= 1 + 0.2 * noise
        elif "lora_" in name:
            values.data = 0.2 * noise
    adapters.save(backbone, folder, {"round": seed})
    return AdapterRef(str(folder), round=seed)


def _fused(model: ModelRef, adapter: AdapterRef) -> dict[str, Tensor]:
    backbone = open_backbone(model, CPU)
    adapters.load(backbone, adapter)
    adapters.fuse(backbone)
    return dict(backbone.network.state_dict())


def _mean(states: list[Mapping[str, Tensor]], shares: tuple[float, ...]) -> dict[str, Tensor]:
    return {
        name: sum(w * state[name].double() for w, state in zip(shares, states, strict=True)).float()
        for name in states[0]
    }


def _merged(model, parts, shares, folder: Path, rank=None) -> tuple[AdapterRef, merging.Merged]:
    backbone = open_backbone(model, CPU)
    layers = [merging.read(backbone, part) for part in parts]
    cost = merging.merge(backbone, layers, shares, rank)
    adapters.save(backbone, folder, {"round": 0})
    return AdapterRef(str(folder)), cost


def _relative_error(state: Mapping[str, Tensor], wanted: Mapping[str, Tensor], base) -> float:
    lost = sum((state[n] - wanted[n]).double().square().sum() for n in wanted)
    moved = sum((base[n] - wanted[n]).double().square().sum() for n in wanted)
    return float((lost / moved).sqrt())


def _paint(pipeline: DiffusionPipeline) -> np.ndarray:
    pipeline.set_progress_bar_config(disable=True)
    generator = torch.Generator().manual_seed(0)
    options = {"num_inference_steps": 3, "guidance_scale": 2.0, "output_type": "np"}
    return pipeline("a red circle and a blue square", generator=generator, **options).images


def test_plain_diffusers_paints_with_the_mean_of_the_fused_weights(
    model: ModelRef, parts: list[AdapterRef], tmp_path: Path
) -> None:
    merged, cost = _merged(model, parts, SHARES, tmp_path)
    assert cost.rank == 9 and cost.truncation_error == 0
    wanted = _mean([_fused(model, part) for part in parts], SHARES)
    base = open_backbone(model, CPU)
    before = base.network.state_dict()
    assert _relative_error(_fused(model, merged), wanted, before) < 1e-6

    absent = absent_parts(model_index(model))
    plain = DiffusionPipeline.from_pretrained(model.path, torch_dtype=torch.float32, **absent)
    before = _paint(plain)
    plain.load_lora_weights(merged.path)
    theirs = _paint(plain)
    base.network.load_state_dict(wanted)
    np.testing.assert_allclose(theirs, _paint(base.pipeline), atol=1e-4)
    assert np.abs(theirs - before).max() > 1e-2


@pytest.mark.parametrize("model", ["sd"], indirect=True)
class TestOneFamily:
    """What does not hang on the family."""

    def test_copies_of_an_adapter_are_that_adapter(self, model, parts, tmp_path: Path) -> None:
        merged, _ = _merged(model, [parts[0]] * 3, SHARES, tmp_path)
        one = _fused(model, parts[0])
        before = open_backbone(model, CPU).network.state_dict()
        assert _relative_error(_fused(model, merged), one, before) < 1e-6

    def test_a_weight_of_one_is_the_adapter_itself(self, model, parts, tmp_path: Path) -> None:
        merged, cost = _merged(model, parts, (1.0, 0.0, 0.0), tmp_path)
        assert cost.rank == CONFIGS[0].r
        one = _fused(model, parts[0])
        before = open_backbone(model, CPU).network.state_dict()
        assert _relative_error(_fused(model, merged), one, before) < 1e-6

    def test_loras_merge_to_a_lora(self, model, parts) -> None:
        backbone = open_backbone(model, CPU)
        layers = merging.read(backbone, parts[1])
        merging.merge(backbone, [layers, layers], (0.5, 0.5))
        names = [name for name, _ in backbone.network.named_parameters() if "lora_" in name]
        assert names and not any("magnitude" in name for name in names)

    def test_half_of_an_adapter_is_halfway_from_the_base(
        self, model, parts, tmp_path: Path
    ) -> None:
        merged, _ = _merged(model, [parts[0], AdapterRef(None)], (0.5, 0.5), tmp_path)
        before = open_backbone(model, CPU).network.state_dict()
        wanted = _mean([_fused(model, parts[0]), before], (0.5, 0.5))
        assert _relative_error(_fused(model, merged), wanted, before) < 1e-6

    def test_the_errors_it_reports_are_those_of_the_weights(
        self, model, parts, tmp_path: Path
    ) -> None:
        twins = [parts[0], _adapter(model, CONFIGS[0], 7, tmp_path / "twin")]
        merged, cost = _merged(model, twins, (0.5, 0.5), tmp_path / "merged", rank=4)
        wanted = _mean([_fused(model, part) for part in twins], (0.5, 0.5))
        before = open_backbone(model, CPU).network.state_dict()
        error = _relative_error(_fused(model, merged), wanted, before)
        assert cost.rank == 4
        assert cost.truncation_error == pytest.approx(error, rel=1e-3) and error > 0.05

        averaged, other = open_backbone(model, CPU), open_backbone(model, CPU)
        adapters.load(averaged, twins[0])
        adapters.load(other, twins[1])
        with torch.no_grad():
            for ours, theirs in zip(
                averaged.network.parameters(), other.network.parameters(), strict=True
            ):
                ours.copy_((ours + theirs) / 2)
        adapters.fuse(averaged)
        error = _relative_error(averaged.network.state_dict(), wanted, before)
        assert cost.parameter_mean_error == pytest.approx(error, rel=1e-3) and error > 0.05

    def test_weights_without_a_mean_are_refused(self, model, parts) -> None:
        backbone = open_backbone(model, CPU)
        layers = merging.read(backbone, parts[0])
        with pytest.raises(UserError, match=r"add up to 1, not 0\.9"):
            merging.merge(backbone, [layers, layers], (0.5, 0.4))
        opposite = {
            name: replace(layer, magnitude=-layer.magnitude) for name, layer in layers.items()
        }
        with pytest.raises(UserError, match="cancel"):
            merging.merge(backbone, [layers, opposite], (0.5, 0.5))

    def test_the_base_alone_is_nothing_to_merge(self, model) -> None:
        backbone = open_backbone(model, CPU)
        with pytest.raises(UserError, match="nothing to merge"):
            merging.merge(backbone, [merging.read(backbone, AdapterRef(None))], (1.0,))

    def test_reading_leaves_the_model_as_it_was(self, model, parts) -> None:
        backbone = open_backbone(model, CPU)
        before = {name: values.clone() for name, values in backbone.network.state_dict().items()}
        merging.read(backbone, parts[0])
        after = backbone.network.state_dict()
        assert after.keys() == before.keys()
        assert all(torch.equal(after[name], before[name]) for name in before)

    def test_an_adapter_of_the_text_encoder_too_is_refused(self, model, tmp_path: Path) -> None:
        layer = "text_model.encoder.layers.0.self_attn.q_proj"
        StableDiffusionPipeline.save_lora_weights(
            tmp_path,
            text_encoder_lora_layers={
                f"{layer}.lora_A.weight": torch.zeros(2, 32),
                f"{layer}.lora_B.weight": torch.zeros(32, 2),
            },
        )
        with pytest.raises(WeightsError, match="text_encoder"):
            merging.read(open_backbone(model, CPU), AdapterRef(str(tmp_path)))
