"""Diff-contrast: prefer every winner of a set to every loser, the more the more alike they are."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Tensor
from torch.nn.functional import logsigmoid, normalize

from mitune.diffusion.prediction import PredictionKind
from mitune.objectives import watched
from mitune.objectives.base import Denoising, Losses, MetricChoice, Passes, Whole
from mitune.objectives.draws import Draws, TimestepDensity
from mitune.objectives.pairs import mean_squares, pair_residuals
from mitune.objectives.policy import Policy
from mitune.objectives.rows import FeaturedPair


class DiffContrast(Denoising[FeaturedPair]):
    """-sum_j w_ij log sigma(z_ij), z_ij = -beta/2 [(e_i - e_i^ref) - (e_j - e_j^ref)].

    i is a winner, j a loser of the same set of `contrast` pairs; w_ij = softmax_j(-D_ij / tau),
    tau the `temperature`, D_ij = 1 - cos(f_i, f_j), f the `features` of picture and prompt.

    Diffusion-RPO, submitted as Diff-contrast, eq. 9, with the weights of section 2.1; means over
    a latent's elements as in `DiffusionDPO`, which this is with a set of one. Errors compare only
    at one noise level, so a set shares its timestep, each pair having its own noise. How f is made
    of CLIP's two embeddings is not printed and no code is released: the `mean` of both scaled to
    norm 1, both `concatenated`, or the `image`'s or the `prompt`'s alone. tau is 0.01 for SD 1.5,
    0.5 for SDXL.

    `encoder` is the name of a metric, a CLIP-score, whose CLIP it is. That is no reward: it says
    which pictures are alike, not which of them is better.
    """

    kind: Literal["diff_contrast"] = "diff_contrast"
    beta: PositiveFloat = 2000.0
    temperature: PositiveFloat = 0.01
    contrast: PositiveInt = 16
    encoder: str = Field(default="clip", min_length=1)
    features: Literal["mean", "concatenated", "image", "prompt"] = "mean"
    target: PredictionKind = "epsilon"

    rows: ClassVar[type[FeaturedPair]] = FeaturedPair
    passes: ClassVar[Passes] = Passes(2, 2)

    @property
    def metric(self) -> MetricChoice:
        """Its encoder."""
        return MetricChoice("encoder", self.encoder)

    @property
    def group(self) -> int:
        """The pairs of a set."""
        return self.contrast

    def draw(self, rows: FeaturedPair, times: TimestepDensity, generator: torch.Generator) -> Draws:
        """As `Denoising.draw`, but one timestep for a set: that of its first pair."""
        draws = super().draw(rows, times, generator)
        return Draws(draws.t[:: self.contrast].repeat_interleave(self.contrast), draws.noise)

    def loss(self, policy: Policy, rows: FeaturedPair, draws: Draws, whole: Whole) -> Tensor:
        """(E,) weighted losses, of the winners."""
        return self.losses(policy, rows, draws, whole).values

    def losses(self, policy: Policy, rows: FeaturedPair, draws: Draws, whole: Whole) -> Losses:
        """As `Objective.losses`; `watched.of_pairs`, each winner with its own loser."""
        both = [
            pair_residuals(model, rows, draws, self.target) for model in (policy, policy.reference)
        ]
        tuned, reference = map(mean_squares, both)
        values = rows.weights * self.of_errors(tuned, reference, self.distances(rows))
        return Losses(values, watched.of_pairs(*both))

    def of_errors(self, tuned: Tensor, reference: Tensor, distances: Tensor) -> Tensor:
        """(E,) losses of the errors (2, E) of winners and losers in sets of M.

        `distances` (E / M, M, M): from winners, along the second axis, to losers.
        """
        winners, losers = (tuned - reference).unflatten(1, distances.shape[:2])
        z = -self.beta / 2 * (winners[:, :, None] - losers[:, None, :])
        weights = torch.softmax(-distances / self.temperature, 2)
        return -(weights * logsigmoid(z)).sum(2).flatten()

    def distances(self, rows: FeaturedPair) -> Tensor:
        """(E / M, M, M) float64 in [0, 2], from winners to losers of a set of M."""
        # Exactly: the temperature magnifies what a matrix product in tf32 rounds off.
        pictures = torch.stack([rows.winner_features, rows.loser_features]).double()
        winners, losers = self._joint(pictures, rows.prompt_features.double()).unflatten(
            1, (-1, self.contrast)
        )
        return 1 - winners @ losers.mT

    def _joint(self, pictures: Tensor, prompts: Tensor) -> Tensor:
        """(2, E, D') of norm 1, of the features of pictures (2, E, D) and prompts (E, D)."""
        pictures = normalize(pictures, dim=2)
        prompts = normalize(prompts, dim=1).expand_as(pictures)
        match self.features:
            case "mean":
                joint = pictures + prompts
            case "concatenated":
                joint = torch.cat([pictures, prompts], 2)
            case "image":
                joint = pictures
            case "prompt":
                joint = prompts
        return normalize(joint, dim=2)
