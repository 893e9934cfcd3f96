"""S-CFG (Shen et al., 2024, arXiv:2404.05384): a guidance scale for each region of the image."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import torch
from pydantic import Field, PositiveInt
from torch import Tensor
from torch.nn import functional
from typing_extensions import Self

from mitune.backbones.attention import Attention, AttentionLayer, attention_layers, grids_near
from mitune.backbones.attention_hooks import watched
from mitune.diffusion.denoiser import Condition, Denoiser
from mitune.diffusion.guided import Guided, Guiding, predict_pair
from mitune.diffusion.prediction import Prediction
from mitune.guidance.base import Model
from mitune.guidance.classifier_free import ClassifierFree
from mitune.guidance.scaled import Scaled
from mitune.guidance.smoothing import smooth

_EPS = 1e-8
_POWERS = 4
_GRIDS = (16, 8)  # sides


class SemanticAware(Scaled):
    """eps_u + w r (eps_c - eps_u), w = `scale`, with a rate r per pixel instead of 1.

    Cross-attention C, refined by self-attention S to S' C and made relative to its mean over the
    image, says which token a pixel belongs to (conditional half) and whether it is foreground
    (unconditional half: the start token against all others). With n = ||eps_c - eps_u|| over
    channels, r of a region is the mean of n over the foreground by its mean over the region,
    within `rates`, w r at most `most`, smoothed. Costs the maps, no evaluation.

    S' is 1/4 sum_k S^k, k = 1 to 4, if `powers` is `intended`; the `released` code, whose loop
    multiplies S with itself each time, has (S + 3 S^2) / 4. Departures: a pixel that two tokens
    claim alike belongs to the first alone; S is averaged with and never made, so that memory
    grows with the pixels, not with their square.

    `downsamplings` of the latent are by default those of grids of 16 x 16 and 8 x 8, 4 and 8 on
    Stable Diffusion, as far as the network has them, or else its grid nearest to 16 x 16. With
    `rates` (1, 1) it is classifier-free guidance.
    """

    reads_attention: ClassVar[bool] = True

    kind: Literal["s_cfg"] = "s_cfg"
    powers: Literal["released", "intended"] = "released"
    downsamplings: tuple[PositiveInt, ...] | None = Field(None, min_length=1)
    rates: tuple[float, float] = (0.8, 3.0)
    most: float = 15.0

    @property
    def without_pair(self) -> Self:
        """Both branches are needed at any w."""
        return self

    def start(
        self,
        model: Model,
        prompts: Sequence[str],
        condition: Condition,
        null: Condition,
        steps: int,
    ) -> Guiding:
        """A guide for models with cross- and self-attention; it does not read `prompts`.

        Raises
        ------
        UserError
            If the network has none at any of `downsamplings`.
        """
        kinds: tuple[Literal["cross", "self"], ...] = ("cross", "self")
        grids = self.downsamplings or grids_near(model.network, _GRIDS)
        layers = [layer for kind in kinds for layer in attention_layers(model.network, kind, grids)]
        if self.rates == (1, 1):
            return ClassifierFree(scale=self.scale).start(model, prompts, condition, null, steps)
        return SemanticAwareGuiding(self, model.denoiser, layers, condition, null, steps)


@dataclass(frozen=True, eq=False)
class SemanticAwareGuiding:
    """S-CFG of one batch."""

    settings: SemanticAware
    denoiser: Denoiser
    layers: Sequence[AttentionLayer]
    condition: Condition
    null: Condition
    steps: int

    def __call__(self, index: int, z_t: Tensor, t: Tensor) -> Guided:
        """Guide at `z_t` (B, C, h, w), `t` (B,); all steps alike."""
        finest = min(layer.downsampling for layer in self.layers)
        height, width = z_t.shape[-2:]
        regions = Regions((height, width), finest, self.settings.powers)
        with watched(self.layers, regions.take):
            c, u = predict_pair(self.denoiser, z_t, t, self.condition, self.null)
        difference = c.raw - u.raw
        rate = self.rate(difference, *regions.masks())
        raw = u.raw + self.settings.scale * rate * difference
        return Guided(c, u, Prediction(raw, c.kind, c.z_t, c.alpha, c.sigma))

    def rate(self, difference: Tensor, regions: Tensor, foreground: Tensor) -> Tensor:
        """The smoothed map (B, 1, h, w) that multiplies `difference` (B, C, h, w)."""
        low, high = self.settings.rates
        scale = self.settings.scale
        highest = self.settings.most / scale if scale > 0 else math.inf
        rates = region_rates(difference.float(), regions, foreground).clamp(low, high)
        return smooth(rates.clamp(max=highest)).to(difference.dtype)


@dataclass(eq=False)
class Regions:
    """Attention of a pair [null; condition] of 2 B rows, added up layer by layer.

    `size` is (h, w) of the latent, `finest` the downsampling that maps are brought to.
    """

    size: tuple[int, int]
    finest: int
    powers: Literal["released", "intended"]
    _latest_self: list[Attention] = field(default_factory=list)
    _tokens: list[Tensor] = field(default_factory=list)
    _grounds: list[Tensor] = field(default_factory=list)

    def take(self, attention: Attention) -> None:
        """Of 2 B rows: a self-attention is kept for the cross-attention that follows it."""
        layer = attention.layer
        if not layer.is_cross:
            self._latest_self = [attention]
            return
        refined = refine(self._latest_self.pop(), attention.map(), self.powers)
        height, width = (side // layer.downsampling for side in self.size)
        maps = refined.unflatten(1, (height, width)).movedim(-1, 1)
        if layer.downsampling > self.finest:
            fine = [side // self.finest for side in self.size]
            maps = functional.interpolate(maps, size=fine, mode="bilinear")
        null, conditional = smooth(maps).chunk(2)
        ground = torch.stack([null[:, 0], null[:, 1:].sum(dim=1)], dim=1)
        self._tokens = [sum(self._tokens, _relative(conditional))]
        self._grounds = [sum(self._grounds, _relative(ground))]

    def masks(self) -> tuple[Tensor, Tensor]:
        """Which token a pixel is of, (B, L, h, w), and whether it is foreground, (B, 1, h, w)."""
        (tokens,), (grounds,) = self._tokens, self._grounds
        owner = functional.one_hot(tokens.argmax(dim=1), tokens.shape[1]).movedim(-1, 1)
        foreground = grounds[:, 1:] > grounds[:, :1]
        return tuple(  # type: ignore[return-value]
            functional.interpolate(mask.float(), size=self.size, mode="nearest")
            for mask in (owner, foreground)
        )


def _relative(maps: Tensor) -> Tensor:
    return maps / (maps.mean(dim=(2, 3), keepdim=True) + _EPS)


def refine(own: Attention, cross: Tensor, powers: Literal["released", "intended"]) -> Tensor:
    """S' C (B, N, L) of the self-attention `own`, S, and of `cross` C (B, N, L)."""
    once = own.average(cross)
    if powers == "released":
        return (once + (_POWERS - 1) * own.average(once)) / _POWERS
    terms = [once]
    for _ in range(_POWERS - 1):
        terms.append(own.average(terms[-1]))
    return torch.stack(terms).mean(dim=0)


def region_rates(difference: Tensor, regions: Tensor, foreground: Tensor) -> Tensor:
    """Mean norm of `difference` (B, C, h, w) in the foreground by that in a pixel's own region.

    `regions` (B, L, h, w) and `foreground` (B, 1, h, w) are masks of 0 and 1; (B, 1, h, w), 0
    where there is no foreground.
    """
    norms = difference.norm(dim=1, keepdim=True)
    of_region, of_foreground = (
        (norms * mask).sum(dim=(2, 3), keepdim=True) / (mask.sum(dim=(2, 3), keepdim=True) + _EPS)
        for mask in (regions, foreground)
    )
    return (of_foreground / (of_region + _EPS) * regions).sum(dim=1, keepdim=True)
