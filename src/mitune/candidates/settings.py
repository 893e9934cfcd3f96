"""How candidates are made and which estimates of MI they get."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, model_validator

from mitune.diffusion.sampling import SamplerName
from mitune.estimators import DrawEstimator, ForwardScore, InformationDecomposition, PathScore
from mitune.guidance import ClassifierFree, GuidanceConfig
from mitune.guidance.base import Starts
from mitune.references import DType
from mitune.seeds import Seed


class Scoring(BaseModel):
    """Which estimates of MI an image gets. `path` is free; the others cost two evaluations a draw.

    `forward` and `information` share their draws, so the second of them is free too.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: PathScore | None = PathScore()
    forward: ForwardScore | None = None
    information: InformationDecomposition | None = None

    @property
    def drawn(self) -> dict[str, DrawEstimator]:
        """The estimators that noise the finished image anew."""
        both: dict[str, DrawEstimator | None] = {
            "forward": self.forward,
            "information": self.information,
        }
        return {name: estimator for name, estimator in both.items() if estimator}

    @property
    def evaluations_per_image(self) -> int:
        """Network evaluations on top of sampling."""
        return max((e.evaluations_per_image for e in self.drawn.values()), default=0)

    @model_validator(mode="after")
    def _share_draws(self) -> Scoring:
        plans = {e.shared for e in self.drawn.values()}
        if len(plans) > 1:
            raise ValueError("forward and information: give both the same draws and log_snr")
        return self


MOST_IMAGES = 10_000  # of a prompt: they are drawn, and their names held, together


class Generation(BaseModel):
    """How candidates are made. Defaults: the MI-TUNE paper (M = 50, 50 DDPM steps, CFG 7.5)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    images_per_prompt: int = Field(default=50, ge=1, le=MOST_IMAGES)
    steps: PositiveInt = 50
    sampler: SamplerName = "ddpm"
    guidance: GuidanceConfig = Field(default_factory=ClassifierFree)
    scoring: Scoring = Scoring()
    dtype: DType = "float32"
    seed: Seed = 0

    @property
    def sampled_by(self) -> Starts:
        """The guidance, without the unguided pair if nothing is scored on the path."""
        return self.guidance if self.scoring.path else self.guidance.without_pair


ESTIMATES = tuple(Scoring.model_fields)
