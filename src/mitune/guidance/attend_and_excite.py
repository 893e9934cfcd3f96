"""Attend-and-Excite (Chefer et al., 2023, arXiv:2301.13826): no subject is forgotten."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from pydantic import ConfigDict, Field, NonNegativeInt, PositiveInt
from torch import Tensor

from mitune.backbones.attention import attention_layers, grids_near
from mitune.diffusion.denoiser import Condition
from mitune.diffusion.guided import Guided, Guiding
from mitune.errors import UserError
from mitune.guidance.base import Model
from mitune.guidance.neglect import Neglect
from mitune.guidance.wrapping import Wrapping
from mitune.language import Reader, open_reader, tokens_in
from mitune.language.subjects import subjects

_GRID = 16  # side of the grid that the paper reads attention on
_SIDE = 64  # of the latents that the step size is made for


class AttendAndExcite(Wrapping):
    """Move z_t until every subject has a place that attends to it, then guide there by `over`.

    A (h, w, L) is cross-attention, averaged over heads and layers at `downsampling`, made
    softmax(100 A) over the tokens of the sentence and smoothed. With S the subject tokens,

        loss = max_s max(0, 1 - max_pixels A_s),    z_t <- z_t - a_i grad loss

    in the first half of n steps, a_i = r `step_size` sqrt(1 - i / 2(n - 1)); at the steps of
    `thresholds` up to `refinements` times more, until the loss is at most 1 - threshold. One
    gradient pass ends at the last map that it needs, and after the last altered step there is none.

    Defaults: the paper's, in fractions of its 50 steps. r = sqrt(h w) / 64 for latents of h x w: 1
    where the paper's are, elsewhere in proportion to the norm of noise, so that a step moves the
    same part of it. Thresholds are shares of attention among tokens, whatever the grid. By default
    `downsampling` is that of a grid of 16 x 16, 4 on Stable Diffusion, or of the network's nearest
    to it. `tokens: padded` is the release on SD 1.x:
    all positions but the first and the last compete, end and padding too; SD 2.1 needs `sentence`,
    since its padding soaks up attention. Under it a path score is a score, no KL: the path does
    not follow p(z_t | c).

    Departures: z_t is what the network is given, where the release moves the sampler's state
    (Euler's is scaled differently); subjects are the heads of noun phrases that name things, the
    last piece of each, which the paper leaves to the user.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    reads_attention: ClassVar[bool] = True

    kind: Literal["attend_and_excite"] = "attend_and_excite"
    step_size: float = 20.0
    altered: float = Field(0.5, ge=0, le=1)  # of the steps
    # (when, as a fraction of the steps; attention that every subject is to reach)
    thresholds: tuple[tuple[float, float], ...] = ((0.0, 0.05), (0.2, 0.5), (0.4, 0.8))
    refinements: NonNegativeInt = 20
    downsampling: PositiveInt | None = None  # of the latent
    tokens: Literal["sentence", "padded"] = "sentence"
    # Positions by prompt, counted from the start token, instead of the heads of its phrases.
    token_indices: dict[str, tuple[int, ...]] = Field(default_factory=dict)

    def evaluations(self, steps: int) -> float:
        """At most: a gradient counts as an evaluation, refinements may end early."""
        thresholds = _thresholds_at(self, steps)
        passes = len({*range(round(self.altered * steps)), *thresholds})
        return self.underneath.evaluations(steps) + 2 * (
            passes + self.refinements * len(thresholds)
        )

    def start(
        self,
        model: Model,
        prompts: Sequence[str],
        condition: Condition,
        null: Condition,
        steps: int,
    ) -> AttendAndExciteGuiding:
        """A guide for models with cross-attention at `downsampling`.

        Raises
        ------
        UserError
            If the network has none, a token is not of the sentence, or the parser is missing.
        """
        grid = self.downsampling or grids_near(model.network, [_GRID])[0]
        layers = attention_layers(model.network, "cross", [grid])
        length = condition.tensors["prompt"].shape[1]
        sentences = torch.zeros(len(prompts), length, dtype=torch.bool)
        named = sentences.clone()
        reader = open_reader(self.parser, "guidance.parser")
        for row, prompt in enumerate(prompts):
            offsets = model.token_offsets(prompt)
            end = length - 1 if self.tokens == "padded" else len(offsets) - 1
            sentences[row, 1:end] = True
            named[row, _subjects(self, prompt, offsets, reader)] = True
        over = self.underneath.start(model, prompts, condition, null, steps)
        rows = named.any(dim=1).nonzero()[:, 0]
        masks = (mask[rows].to(model.device) for mask in (sentences, named))
        neglect = Neglect(model.denoiser, layers, condition[rows], *masks)
        return AttendAndExciteGuiding(self, over, rows.to(model.device), neglect)


def _thresholds_at(settings: AttendAndExcite, steps: int) -> dict[int, float]:
    return {min(round(when * steps), steps - 1): value for when, value in settings.thresholds}


def _subjects(
    settings: AttendAndExcite,
    prompt: str,
    offsets: Sequence[tuple[int, int]],
    reader: Reader,
) -> list[int]:
    if prompt not in settings.token_indices:
        heads = [phrase.head.span for phrase in subjects(reader(prompt))]
        return [token for head in heads for token in tokens_in(head, offsets)[-1:]]
    given = settings.token_indices[prompt]
    last = len(offsets) - 2
    if not all(1 <= token <= last for token in given):
        raise UserError(
            f"guidance.token_indices: {prompt!r} has tokens 1 to {last}, got {list(given)}"
        )
    return list(given)


@dataclass(frozen=True, eq=False)
class AttendAndExciteGuiding:
    """Attend-and-Excite of one batch; `rows` (n,) have a subject, and `neglect` is theirs."""

    settings: AttendAndExcite
    over: Guiding
    rows: Tensor
    neglect: Neglect

    @property
    def steps(self) -> int:
        """As many as the guidance underneath."""
        return self.over.steps

    def __call__(self, index: int, z_t: Tensor, t: Tensor) -> Guided:
        """Move `z_t` (B, ...) where it is to be moved, then guide."""
        return self.over(index, self.moved(index, z_t, t), t)

    def moved(self, index: int, z_t: Tensor, t: Tensor) -> Tensor:
        """z_t (B, C, h, w) after step `index`'s updates; itself if there are none."""
        threshold = _thresholds_at(self.settings, self.steps).get(index)
        altered = index < round(self.settings.altered * self.steps)
        if not len(self.rows) or (not altered and threshold is None):
            return z_t
        height, width = z_t.shape[-2:]
        size = self.settings.step_size * (height * width) ** 0.5 / _SIDE
        size *= (1 - index / 2 / max(self.steps - 1, 1)) ** 0.5
        every = torch.arange(len(self.rows), device=z_t.device)
        z, times = z_t[self.rows], t[self.rows]
        loss, gradient = self.neglect(z, times, every)
        if threshold is not None:
            most = max(0.0, 1 - threshold)
            z, gradient = self._refined(z, times, loss, gradient, size, most)
        if altered:
            z = z - size * gradient
        return z_t.index_copy(0, self.rows, z)

    def _refined(
        self, z: Tensor, t: Tensor, loss: Tensor, gradient: Tensor, size: float, most: float
    ) -> tuple[Tensor, Tensor]:
        """As released, a row takes one more update after the first loss that is small enough."""
        active = (loss > most).nonzero()[:, 0]
        for _ in range(self.settings.refinements):
            if not len(active):
                break
            better = z[active] - size * gradient[active]
            z = z.index_copy(0, active, better)
            unfinished = loss[active] > most
            new_loss, new_gradient = self.neglect(better, t[active], active)
            loss = loss.index_copy(0, active, new_loss)
            gradient = gradient.index_copy(0, active, new_gradient)
            active = active[unfinished]
        return z, gradient
