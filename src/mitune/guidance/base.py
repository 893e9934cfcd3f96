"""The contract of guidance: settings that start a guide for one batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Protocol

import torch
from torch import nn
from typing_extensions import Self

from mitune.diffusion.denoiser import Condition, Denoiser
from mitune.diffusion.guided import Guiding

if TYPE_CHECKING:
    from mitune.language import ParserName


class Model(Protocol):
    """The part of a backbone that guidance may ask for."""

    @property
    def denoiser(self) -> Denoiser: ...
    @property
    def network(self) -> nn.Module:
        """The network inside the denoiser, for its attention."""
        ...

    @property
    def device(self) -> torch.device: ...
    def encode_prompts(self, prompts: Sequence[str]) -> Condition: ...
    def token_offsets(self, prompt: str) -> list[tuple[int, int]]:
        """As `Backbone.token_offsets`."""
        ...


class Starts(Protocol):
    """What guides a batch, and what that costs."""

    reads_attention: ClassVar[bool]  # of a UNet, whose texts and image attend apart

    def evaluations(self, steps: int) -> float:
        """Evaluations of the network on one latent, per image, in a sampling of `steps` steps."""
        ...

    def start(
        self,
        model: Model,
        prompts: Sequence[str],
        condition: Condition,
        null: Condition,
        steps: int,
    ) -> Guiding:
        """A guide through `steps` steps of a batch of B images.

        `prompts` are B texts and `condition` (B rows) is what `model` makes of them; `null`, of B
        rows or one that serves them all, is the empty prompt's.
        """
        ...


class Guidance(Starts, Protocol):
    """An inference-time method: a frozen pydantic model; it may wrap another one."""

    def at_scale(self, scale: float) -> Self:
        """The same method with another guidance scale."""
        ...

    @property
    def parsers(self) -> dict[str, ParserName]:
        """Who reads its prompts, by field: `parser`, `over.parser`."""
        ...

    @property
    def without_pair(self) -> Starts:
        """What makes the same images, up to rounding, if nobody asks for the unguided pair."""
        ...
