"""The model under training, and the model that it must not run away from."""

from __future__ import annotations

from typing import Protocol

from torch import nn

from mitune.diffusion.denoiser import Denoiser


class Policy(Denoiser, Protocol):
    """A denoiser under training."""

    @property
    def reference(self) -> Denoiser:
        """The same as it was before training; its predictions carry no gradient."""
        ...

    @property
    def modules(self) -> nn.ModuleDict:
        """What an online objective trains beside the network, such as a value function."""
        ...
