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
from mitune.training.adapted import adapted


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


def policy_from_base(
    backbone: Backbone, denoiser: Denoiser, modules: nn.ModuleDict
) -> AdapterPolicy:
    """Its reference is the base model: bitwise, since the adapter is switched off.

    `denoiser`: that of the backbone, or around it.
    """
    parts = adapted(backbone).values()

    @contextmanager
    def switched() -> Iterator[None]:
        for part in parts:
            part.disable_adapters()
        try:
            yield
        finally:
            for part in parts:
                part.enable_adapters()

    return AdapterPolicy(denoiser, FrozenDenoiser(denoiser, switched), modules)


def policy_from_previous(
    backbone: Backbone, denoiser: Denoiser, previous: AdapterRef, modules: nn.ModuleDict
) -> AdapterPolicy:
    """Its reference is the model with `previous` on, as a second, frozen adapter."""
    adapters.load_frozen(backbone, previous)
    parts = adapted(backbone).values()

    @contextmanager
    def switched() -> Iterator[None]:
        for part in parts:
            part.set_adapter(adapters.REFERENCE)
        try:
            yield
        finally:
            for part in parts:
                part.set_adapter(adapters.NAME)

    return AdapterPolicy(denoiser, FrozenDenoiser(denoiser, switched), modules)
