"""One adapter whose effective weights are the weighted mean of those of several (MI-TUNE E.3)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from mitune import libraries
from mitune.backbones import AdapterRef, Backbone, ModelError
from mitune.errors import UserError
from mitune.training import adapters
from mitune.training.low_rank import LowRank, mean, parameter_mean


@dataclass(frozen=True)
class Merged:
    """What a merge cost, relative to how far the exact mean is from the base (Frobenius norms).

    `rank` is the largest of any layer. `truncation_error`: by cutting it to that rank; 0 if it was
    not cut. `parameter_mean_error`: of the mean of A, B and magnitudes instead; NaN if the adapters
    differ in shape, so that there is none.
    """

    rank: int
    truncation_error: float
    parameter_mean_error: float


def read(backbone: Backbone, adapter: AdapterRef) -> dict[str, LowRank]:
    """Layers of a saved adapter by their names in the network, in float64; of the base, none.

    Raises
    ------
    ModelError, WeightsError
        If the file is missing, truncated, or adapts more than linear layers and convolutions of the
        denoising network.
    """
    try:
        adapters.load(backbone, adapter)
        return {name: _read_layer(layer, adapter) for name, layer in _layers(backbone).items()}
    finally:
        backbone.pipeline.unload_lora_weights()


def merge(
    backbone: Backbone,
    parts: Sequence[Mapping[str, LowRank]],
    shares: Sequence[float],
    rank: int | None = None,
) -> Merged:
    """Put the mean of `parts`, as `read` returns them, on the model: save it with `adapters.save`.

    It is DoRA if one of the parts is. A layer that a part leaves alone counts as the base there, a
    part without layers as the base altogether; a part of share 0 adds no rank. `rank` None keeps
    the sum of the ranks, and is exact.

    Raises
    ------
    UserError
        If the shares do not add up to 1 (a mean of less would shrink the base model with it), if
        there is nothing to merge, or if negative shares cancel the base.
    """
    if not math.isclose(sum(shares), 1, abs_tol=1e-6):
        raise UserError(f"weights of a mean add up to 1, not {sum(shares):g}")
    used = [(part, share) for part, share in zip(parts, shares, strict=True) if share != 0]
    names = sorted({name for part, _ in used for name in part})
    if not names:
        raise UserError("there is nothing to merge: name an adapter with a weight other than 0")
    dora = any(layer.magnitude is not None for part, _ in used for layer in part.values())
    layers: dict[str, LowRank] = {}
    lost = moved = missed = 0.0
    for name in names:
        weight = _matrix(backbone.network.get_parameter(f"{name}.weight"))
        here = [part.get(name) for part, _ in used]
        weights = [share for _, share in used]
        try:
            merged = mean(weight, here, weights, dora=dora, rank=rank)
        except ValueError as error:
            raise UserError(f"{name}: {error}; keep negative weights small") from None
        layers[name] = merged.adapter
        lost += merged.lost**2
        moved += merged.moved**2
        missed += _parameter_mean_error(weight, here, weights) ** 2
    _attach(backbone, layers, dora)
    moved = moved or 1.0  # adapters that do nothing are merged without loss
    return Merged(
        rank=max(len(layer.down) for layer in layers.values()),
        truncation_error=math.sqrt(lost / moved),
        parameter_mean_error=math.sqrt(missed / moved),
    )


def _layers(backbone: Backbone) -> dict[str, Any]:
    modules = backbone.network.named_modules()
    kind = libraries.peft.tuners.lora.LoraLayer
    return {name: module for name, module in modules if isinstance(module, kind)}


def _read_layer(layer: Any, adapter: AdapterRef) -> LowRank:
    if not isinstance(layer.get_base_layer(), nn.Linear | nn.Conv2d):
        kind = type(layer.get_base_layer()).__name__
        raise ModelError(f"{adapter.path}: adapters of {kind} layers cannot be merged")
    if layer.lora_bias[adapters.NAME]:
        raise ModelError(f"{adapter.path}: adapters with a bias cannot be merged")
    dora = adapters.NAME in layer.lora_magnitude_vector
    return LowRank(
        _matrix(layer.lora_A[adapters.NAME].weight),
        _matrix(layer.lora_B[adapters.NAME].weight) * layer.scaling[adapters.NAME],
        _exact(layer.lora_magnitude_vector[adapters.NAME].weight).flatten() if dora else None,
    )


def _matrix(weight: Tensor) -> Tensor:
    return _exact(weight).flatten(1)


def _exact(values: Tensor) -> Tensor:
    """In float64 on the CPU: not every accelerator has it."""
    return values.detach().cpu().double()


def _parameter_mean_error(
    weight: Tensor, parts: Sequence[LowRank | None], shares: Sequence[float]
) -> float:
    by_parameters = parameter_mean(parts, shares)
    if by_parameters is None:
        return math.nan
    missed = by_parameters.effective(weight)
    for part, share in zip(parts, shares, strict=True):
        if part is not None:
            missed = missed - share * part.effective(weight)
    return float(missed.norm())


def _attach(backbone: Backbone, layers: Mapping[str, LowRank], dora: bool) -> None:
    """An adapter of peft with these values; scaling 1, so that files without settings agree."""
    ranks = {name: len(layer.down) for name, layer in layers.items()}
    most = max(ranks.values())
    others = {name: rank for name, rank in ranks.items() if rank != most}
    config = libraries.peft.LoraConfig(
        r=most,
        lora_alpha=most,
        rank_pattern=others,
        alpha_pattern=others,
        use_dora=dora,
        target_modules=list(layers),
    )
    network: Any = backbone.network
    adapters.seeded(lambda: network.add_adapter(config, adapter_name=adapters.NAME), seed=0)
    with torch.no_grad():
        for name, module in _layers(backbone).items():
            layer = layers[name]
            values = {"lora_A": layer.down, "lora_B": layer.up}
            if layer.magnitude is not None:
                values["lora_magnitude_vector"] = layer.magnitude
            for part, value in values.items():
                parameter = getattr(module, part)[adapters.NAME].weight
                parameter.copy_(value.reshape(parameter.shape))
