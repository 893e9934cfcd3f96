"""Supervised fine-tuning: the pre-training loss on a chosen set. MI-TUNE and GORS are this."""

from __future__ import annotations

from typing import ClassVar, Literal

from torch import Tensor

from mitune.diffusion.prediction import PredictionKind
from mitune.objectives.base import Denoising, Passes, Whole
from mitune.objectives.draws import Draws
from mitune.objectives.errors import errors
from mitune.objectives.policy import Policy
from mitune.objectives.rows import Single


class SFT(Denoising[Single]):
    """w ||eps - eps_theta(z_t, p, t)||^2, mean over the latent (MI-TUNE Alg. 1, last line).

    MI-TUNE is this loss on the images its MI selects; GORS is this loss with reward weights.
    `target` says what is compared, whatever the network itself predicts: its noise by default,
    so that the loss of a model does not depend on its parametrisation; `flow`, eps - x0, is the
    loss of rectified flow; `sample`, x0, is s^2 times that, as the released code of RFMI has it.
    """

    kind: Literal["sft"] = "sft"
    target: PredictionKind = "epsilon"

    rows: ClassVar[type[Single]] = Single
    passes: ClassVar[Passes] = Passes(0, 1)

    def loss(self, policy: Policy, rows: Single, draws: Draws, whole: Whole) -> Tensor:
        """(E,) weighted errors."""
        condition = rows.captions.condition
        return rows.weights * errors(policy, rows.latents, condition, draws, self.target)
