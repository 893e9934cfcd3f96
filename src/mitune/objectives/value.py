"""What a noisy latent will be worth: the baseline of a policy gradient."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import layer_norm

from mitune.diffusion.denoiser import Condition
from mitune.diffusion.noise import NoisePath


class ValueFunction(nn.Module):
    """A perceptron with two hidden layers, of a latent, its noise level and its prompt.

    A prompt is all floating tensors of its condition, each the mean over its tokens, and of mean 0
    and variance 1: pooled embeddings and image sizes count alike.
    """

    def __init__(self, latent_shape: Sequence[int], condition: Condition, hidden: int) -> None:
        super().__init__()
        inputs = math.prod(latent_shape) + 2 + _prompt(condition).shape[1]
        self.layers = nn.Sequential(
            nn.Linear(inputs, hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, 1),
        )

    def forward(self, path: NoisePath, state: Tensor, t: Tensor, condition: Condition) -> Tensor:
        """(E,) of latents `state` (E, C, h, w) at timesteps `t` (E,)."""
        level = torch.stack([path.alpha(t), path.sigma(t)], 1)
        features = torch.cat([state.flatten(1), level, _prompt(condition)], 1)
        value: Tensor = self.layers(features.to(next(self.parameters()).dtype))
        return value[:, 0]


def _prompt(condition: Condition) -> Tensor:
    tensors = [t.float() for _, t in sorted(condition.tensors.items()) if t.is_floating_point()]
    means = [t if t.ndim == 2 else t.flatten(1, -2).mean(1) for t in tensors]
    return torch.cat([layer_norm(mean, mean.shape[1:]) for mean in means], 1)
