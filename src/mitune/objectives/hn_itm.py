"""HN-ITM: pre-training loss, less that of a wrong picture or prompt as long as it is small."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from pydantic import Field, NonNegativeFloat
from torch import Tensor

from mitune.diffusion.prediction import PredictionKind
from mitune.errors import UserError
from mitune.objectives.base import Objective, Passes, Whole
from mitune.objectives.draws import Draws, TimestepDensity
from mitune.objectives.errors import errors
from mitune.objectives.policy import Policy
from mitune.objectives.rows import Captions, Negatives


@dataclass(frozen=True, eq=False)
class MismatchedDraws(Draws):
    """`caption` (E,): the number of a prompt to take as the negative; -1: the one that is given."""

    caption: Tensor


class HNITM(Objective[Negatives, MismatchedDraws]):
    """e_+ - min(e_-, `factor` e_+), without gradient in the bound; e = ||eps - eps_theta||^2 / N.

    Krojer et al. 2023, arXiv:2305.16397, HardNeg-DiffusionITM; one timestep and noise for both.
    `clamp`: the released code bounds the mean of e_- over the batch by that of e_+ (`batch`): once
    it is reached, no negative of the step counts, and at factor 1 the logged loss is 0. `sample`,
    the default, bounds each by its own. `factor` 0 is SFT; without a bound the loss has no minimum,
    so there is no such setting.

    The table holds hard negatives: a neighbouring picture under the example's prompt, or its own
    picture under a hard prompt. In the share `random_captions` of the examples the negative is
    instead, drawn anew each step, any other prompt of the set with the example's own picture. The
    code draws a kind for a whole step: 1/2 picture, 1/4 hard prompt, 1/4 random prompt, which is
    two examples with pictures for each one with a prompt, and `random_captions` 0.25.
    """

    kind: Literal["hn_itm"] = "hn_itm"
    factor: NonNegativeFloat = 1.0
    clamp: Literal["sample", "batch"] = "sample"
    random_captions: float = Field(default=0.25, ge=0, le=1)
    target: PredictionKind = "epsilon"

    rows: ClassVar[type[Negatives]] = Negatives

    @property
    def passes(self) -> Passes:
        """A bound on the batch needs all errors before the first loss."""
        return Passes(2 if self.clamp == "batch" else 0, 2)

    @property
    def uses_reference(self) -> bool:
        """Never: what passes without gradient is the model itself."""
        return False

    def draw(
        self, rows: Negatives, times: TimestepDensity, generator: torch.Generator
    ) -> MismatchedDraws:
        """As `Denoising.draw`, then random captions.

        Raises
        ------
        UserError
            If these are asked for and the set has a single prompt.
        """
        size = len(rows)
        t = times.draw(size, generator)
        noise = torch.randn((size, *rows.latent_shape), generator=generator)
        replaced = torch.rand(size, generator=generator) < self.random_captions
        prompts = len(rows.captions.encoded) - 1  # the last one is empty
        if self.random_captions and prompts < 2:
            raise UserError(
                f"finetune.objective.random_captions is {self.random_captions}, but the "
                "fine-tuning set has a single prompt; set it to 0, or add prompts"
            )
        other = torch.randint(max(prompts - 1, 1), (size,), generator=generator)
        other += other >= rows.captions.numbers
        return MismatchedDraws(t, noise, torch.where(replaced, other, -1))

    def survey(self, policy: Policy, rows: Negatives, draws: MismatchedDraws) -> Tensor:
        """(E, 2) weighted errors if the bound is on the batch, else nothing."""
        if self.clamp == "sample":
            return super().survey(policy, rows, draws)
        return self._errors(policy, rows, draws).T

    def loss(self, policy: Policy, rows: Negatives, draws: MismatchedDraws, whole: Whole) -> Tensor:
        """(E,) weighted losses."""
        positive, negative = self._errors(policy, rows, draws)
        return self.of_errors(positive, negative, whole)

    def of_errors(self, positive: Tensor, negative: Tensor, whole: Whole) -> Tensor:
        """(E,) losses of errors (E,); `whole` is (B, 2), both of all, if the bound is on them."""
        if self.clamp == "sample":
            bound = self.factor * positive.detach()
            within = negative <= bound
        else:
            mean_positive, mean_negative = whole.all.mean(0)
            bound = self.factor * mean_positive
            within = mean_negative <= bound
        return positive - torch.where(within, negative, bound)

    def _errors(self, policy: Policy, rows: Negatives, draws: MismatchedDraws) -> Tensor:
        """(2, E) weighted errors of positives and negatives."""
        own, given = rows.captions, rows.negative_captions.numbers
        # One that has lost its own caption has lost its negative one too: it stays empty.
        replaced = (draws.caption >= 0) & (own.numbers < len(own.encoded) - 1)
        kept = replaced.view(-1, *[1] * (rows.positive.ndim - 1))
        latents = torch.cat([rows.positive, torch.where(kept, rows.positive, rows.negative)])
        numbers = torch.cat([own.numbers, torch.where(replaced, draws.caption, given)])
        condition = Captions(own.encoded, numbers).condition
        both = Draws(draws.t.repeat(2), torch.cat([draws.noise, draws.noise]))
        found = errors(policy, latents, condition, both, self.target)
        return rows.weights * found.view(2, -1)
