"""How neglected the most neglected subject of a prompt is: the loss of Attend-and-Excite."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mitune.backbones.attention import Attention, AttentionLayer
from mitune.backbones.attention_hooks import watched
from mitune.diffusion.denoiser import Condition, Denoiser
from mitune.guidance.smoothing import smooth

_CONTRAST = 100  # of attention over tokens, before their softmax


@dataclass(frozen=True, eq=False)
class Neglect:
    """The loss of n prompts, on `layers` of one grid.

    `condition`, `sentences` and `subjects` (n, L), as in `excitation_loss`, are theirs.
    """

    denoiser: Denoiser
    layers: Sequence[AttentionLayer]
    condition: Condition
    sentences: Tensor
    subjects: Tensor

    def __call__(self, z: Tensor, t: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Loss (m,) and gradient (m, C, h, w) at `z` (m, C, h, w), of the prompts `rows` (m,).

        Each row's gradient is that of its own loss. The network is left after the last map.
        """
        grid = self.layers[0].downsampling
        with torch.enable_grad():
            z = z.detach().requires_grad_(True)
            taken: list[Attention] = []
            with watched(self.layers, taken.append, leave_after_last=True):
                self.denoiser.predict(z, t, self.condition[rows])
            average = torch.stack([attention.map() for attention in taken]).mean(dim=0)
            height, width = (side // grid for side in z.shape[-2:])
            loss = excitation_loss(
                average.unflatten(1, (height, width)), self.sentences[rows], self.subjects[rows]
            )
            (gradient,) = torch.autograd.grad(loss.sum(), z)
        return loss.detach(), gradient


def excitation_loss(attention: Tensor, sentences: Tensor, subjects: Tensor) -> Tensor:
    """(B,) in [0, 1] of `attention` (B, h, w, L): 1 - the peak of the most neglected subject.

    `sentences` (B, L) marks the tokens that compete, at least one; `subjects` (B, L) those that
    are to be seen; without any the loss is 0.
    """
    others = ~sentences[:, None, None]
    shares = (_CONTRAST * attention).masked_fill(others, -torch.inf).softmax(dim=-1)
    peaks = smooth(shares.movedim(-1, 1)).amax(dim=(2, 3))
    return ((1 - peaks).clamp(min=0) * subjects).amax(dim=1)
