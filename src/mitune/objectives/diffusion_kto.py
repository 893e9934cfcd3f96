"""Diffusion-KTO: raise the utility of pictures that are liked or disliked, one by one."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import Field, PositiveFloat
from torch import Tensor
from torch.nn.functional import logsigmoid

from mitune.diffusion.denoiser import Denoiser
from mitune.diffusion.prediction import PredictionKind
from mitune.errors import UserError
from mitune.objectives import watched
from mitune.objectives.base import Denoising, Losses, Passes, Whole
from mitune.objectives.draws import Draws
from mitune.objectives.errors import errors
from mitune.objectives.policy import Policy
from mitune.objectives.rows import Labelled


class DiffusionKTO(Denoising[Labelled]):
    """-w U(s beta (g - kl)), g = e^ref - e, s = 1 for a liked picture and -1 for a disliked one.

    Li et al. 2024, arXiv:2404.04465, sec. 4, as the released code has it: e is the mean over a
    latent's elements, so `beta` is twice that of `DiffusionDPO` for the same pull, which halves it;
    kl = max(0, mean of g), without gradient, over all examples of the step, where the paper takes
    the expectation over everything. w is `liked_weight` or `disliked_weight`.

    `utility`, at x = s beta (g - kl): `kahneman_tversky` sigma(x), whose loss is w (1 - U), 1/2 at
    the reference; `loss_averse` log sigma(x), concave: -U is log 2 there; `risk_seeking`
    -log sigma(-x), convex: -U is -log 2 there and has no lower bound. A step has liked pictures in
    the share `liked_share` on average, drawn with replacement (the code's 0.8), whatever their
    share of the set is.
    """

    kind: Literal["diffusion_kto"] = "diffusion_kto"
    beta: PositiveFloat = 1000.0
    utility: Literal["kahneman_tversky", "loss_averse", "risk_seeking"] = "kahneman_tversky"
    liked_weight: PositiveFloat = 1.0
    disliked_weight: PositiveFloat = 1.0
    liked_share: float = Field(default=0.8, gt=0, lt=1)
    target: PredictionKind = "epsilon"

    rows: ClassVar[type[Labelled]] = Labelled
    passes: ClassVar[Passes] = Passes(2, 1)

    def frequencies(self, rows: Labelled) -> Tensor:
        """As `Objective.frequencies`; a set of one label is refused, since it compares nothing."""
        liked = int(rows.liked.sum())
        disliked = len(rows) - liked
        if not liked or not disliked:
            only, missing = ("liked", "disliked") if liked else ("disliked", "liked")
            raise UserError(
                f"the fine-tuning set has only {only} pictures (label {int(liked > 0)}), and "
                f"finetune.objective: diffusion_kto needs both; add {missing} ones"
            )
        share = self.liked_share
        return torch.where(rows.liked, share / liked, (1 - share) / disliked)

    def survey(self, policy: Policy, rows: Labelled, draws: Draws) -> Tensor:
        """(E, 2): errors of the policy and of its reference."""
        both = [self._errors(denoiser, rows, draws) for denoiser in (policy, policy.reference)]
        return torch.stack(both, 1)

    def loss(self, policy: Policy, rows: Labelled, draws: Draws, whole: Whole) -> Tensor:
        """(E,) weighted losses."""
        return self.losses(policy, rows, draws, whole).values

    def losses(self, policy: Policy, rows: Labelled, draws: Draws, whole: Whole) -> Losses:
        """As `Objective.losses`; `watched.of_labels`."""
        tuned, reference = self._errors(policy, rows, draws), whole.own[:, 1]
        kl = (whole.all[:, 1] - whole.all[:, 0]).mean()
        values = rows.weights * self.of_errors(tuned, reference, rows.liked, kl)
        return Losses(values, watched.of_labels(reference - tuned, rows.liked))

    def of_errors(self, tuned: Tensor, reference: Tensor, liked: Tensor, kl: Tensor) -> Tensor:
        """(E,) losses of the errors (E,) of either; `kl` () is the mean over the step, clamped."""
        gain = self.beta * (reference - tuned - kl.clamp(min=0))
        losses = self._of_gain(torch.where(liked, gain, -gain))
        return torch.where(liked, self.liked_weight * losses, self.disliked_weight * losses)

    def _of_gain(self, x: Tensor) -> Tensor:
        match self.utility:
            case "kahneman_tversky":
                return torch.sigmoid(-x)
            case "loss_averse":
                return -logsigmoid(x)
            case "risk_seeking":
                return logsigmoid(-x)

    def _errors(self, denoiser: Denoiser, rows: Labelled, draws: Draws) -> Tensor:
        return errors(denoiser, rows.latents, rows.captions.condition, draws, self.target)
