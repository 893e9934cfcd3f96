"""A denoiser whose cross-attention reads other texts than the prompt's."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor, nn

from mitune.backbones.attention import AttentionLayer
from mitune.backbones.attention_hooks import keys_from, values_from
from mitune.diffusion.denoiser import Condition, Denoiser
from mitune.diffusion.noise import NoisePath
from mitune.diffusion.prediction import Prediction
from mitune.guidance.base import Model

# What a condition holds beside its own tensors.
_VALUES, _KEYS, _SHARES = "values", "keys", "shares"

Paste: TypeAlias = tuple[Sequence[int], Tensor]  # positions (n), and what goes there (n, D)


def averaged_values(embedding: Tensor, phrases: Sequence[Paste]) -> dict[str, Tensor]:
    """The mean of `embedding` (L, D) and of it with each phrase in its place, as values."""
    return {_VALUES: _each_pasted(embedding, phrases).mean(dim=0)}


def several_keys(embedding: Tensor, phrases: Sequence[Paste], most: int) -> dict[str, Tensor]:
    """`embedding` (L, D) and it with each phrase in its place, as keys; with all, as values.

    Prompts have up to `most` phrases; keys beyond a prompt's own have no share.
    """
    keys = _each_pasted(embedding, phrases)
    shares = torch.zeros(1 + most, device=embedding.device)
    shares[: len(keys)] = 1 / len(keys)
    spare = embedding.expand(1 + most - len(keys), *embedding.shape)
    return {
        _VALUES: _pasted(embedding, phrases),
        _KEYS: torch.cat([keys, spare]),
        _SHARES: shares,
    }


def with_texts(condition: Condition, texts: Sequence[dict[str, Tensor]]) -> Condition:
    """A condition of B rows with the B `texts` that `StructuredDenoiser` is to read."""
    stacked = {name: torch.stack([own[name] for own in texts]) for name in texts[0]}
    return Condition({**condition.tensors, **stacked})


def _each_pasted(embedding: Tensor, phrases: Sequence[Paste]) -> Tensor:
    """(1 + k, L, D)."""
    return torch.stack([embedding, *(_pasted(embedding, [phrase]) for phrase in phrases)])


def _pasted(embedding: Tensor, phrases: Sequence[Paste]) -> Tensor:
    changed = embedding.clone()
    for positions, phrase in phrases:
        changed[list(positions)] = phrase
    return changed


@dataclass(frozen=True, eq=False)
class StructuredDenoiser:
    """`plain` under a condition made by `with_texts`."""

    plain: Denoiser
    layers: Sequence[AttentionLayer]

    @property
    def path(self) -> NoisePath:
        """The same."""
        return self.plain.path

    def predict(self, z_t: Tensor, t: Tensor, condition: Condition) -> Prediction:
        """The prediction at `z_t` (B, ...) for the timesteps `t` (B,) and B conditions."""
        own = dict(condition.tensors)
        texts = {name: own.pop(name) for name in (_VALUES, _KEYS, _SHARES) if name in own}
        with self._reading(texts):
            return self.plain.predict(z_t, t, Condition(own))

    def _reading(self, texts: dict[str, Tensor]) -> AbstractContextManager[None]:
        if _KEYS not in texts:
            return values_from(self.layers, texts[_VALUES])
        return keys_from(self.layers, texts[_KEYS], texts[_SHARES], texts[_VALUES])


@dataclass(frozen=True, eq=False)
class StructuredModel:
    """A model with another denoiser."""

    plain: Model
    denoiser: StructuredDenoiser

    @property
    def network(self) -> nn.Module:
        """The same."""
        return self.plain.network

    @property
    def device(self) -> torch.device:
        """The same."""
        return self.plain.device

    def encode_prompts(self, prompts: Sequence[str]) -> Condition:
        """As the plain model does."""
        return self.plain.encode_prompts(prompts)

    def token_offsets(self, prompt: str) -> list[tuple[int, int]]:
        """As the plain model does."""
        return self.plain.token_offsets(prompt)
