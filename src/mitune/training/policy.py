"""A model with an adapter under training, which is its own reference with the adapter off."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from mitune.backbones import AdapterRef, Backbone
from mitune.diffusion.denoiser import Condition, Denoiser
from mitune.diffusion.noise import NoisePath
from mitune.diffusion.prediction import Prediction
from mitune.training import adapters


@dataclass(frozen=True, eq=False)
class FrozenDenoiser:
    """The same network while `switched`, without gradients: no second copy of it."""

    denoiser: Denoiser
    switched: Callable[[], AbstractContextManager[None]]

    @property
    def path(self) -> NoisePath:
        """That of the denoiser."""
        return self.denoiser.path

    @torch.no_grad()
    def predict(self, z_t: Tensor, t: Tensor, condition: Condition) -> Prediction:
        """As the denoiser predicts while switched."""
        with self.switched():
            return self.denoiser.predict(z_t, t, condition)


@dataclass(frozen=True, eq=False)
class AdapterPolicy:
    """A `Policy`: the denoiser of a backbone with its adapter on, and what it was before."""

    denoiser: Denoiser
    reference: Denoiser
    modules: nn.ModuleDict = field(default_factory=nn.ModuleDict)

    @property
    def path(self) -> NoisePath:
        """That of the denoiser."""
        return self.denoiser.path

    def predict(self, z_t: Tensor, t: Tensor, condition: Condition) -> Prediction:
        """As the denoiser predicts now."""
        return self.denoiser.predict(z_t, t, condition)


def policy_from_base(backbone: Backbone, modules: nn.ModuleDict) -> AdapterPolicy:
    """Its reference is the base model: bitwise, since the adapter is switched off."""

    @contextmanager
    def switched() -> Iterator[None]:
        backbone.network.disable_adapters()  # type: ignore[operator]
        try:
            yield
        finally:
            backbone.network.enable_adapters()  # type: ignore[operator]

    return AdapterPolicy(backbone.denoiser, FrozenDenoiser(backbone.denoiser, switched), modules)


def policy_from_previous(
    backbone: Backbone, previous: AdapterRef, modules: nn.ModuleDict
) -> AdapterPolicy:
    """Its reference is the model with `previous` on, as a second, frozen adapter."""
    adapters.load_frozen(backbone, previous)

    @contextmanager
    def switched() -> Iterator[None]:
        backbone.network.set_adapter(adapters.REFERENCE)  # type: ignore[operator]
        try:
            yield
        finally:
            backbone.network.set_adapter(adapters.NAME)  # type: ignore[operator]

    return AdapterPolicy(backbone.denoiser, FrozenDenoiser(backbone.denoiser, switched), modules)
