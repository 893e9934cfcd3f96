"""An arm of a study: which candidates become its set, and what it changes of the training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, PositiveInt, model_validator
from typing_extensions import Self

from mitune.composition import Composition
from mitune.training.finetuning import Finetuning

_EXACT = 1e-6
_WHOLE = ("objective", "timesteps")
Mean: TypeAlias = (
    Annotated[tuple[str, ...], Field(min_length=1)]
    | Annotated[dict[str, FiniteFloat], Field(min_length=1)]
)
Share: TypeAlias = Annotated[float, Field(gt=0, le=1)]


class Undecided(BaseModel):
    """Prompts to leave out: the `share` of them whose candidates differ least in `score`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    score: str
    share: Annotated[float, Field(gt=0, lt=1)]


class StudyArm(BaseModel):
    """One model. Without `selection` and `mean` it is the base.

    Attributes
    ----------
    label
        For readers.
    round
        Whose candidates: those of the base model (1), or those that round 1 painted (2), whose
        adapter it starts from where `finetune.start` is `previous`.
    images
        Choose among the first so many candidates of a prompt: as if no more had been painted.
    categories
        Choose from the prompts of these alone; none: of all.
    undecided
        Prompts to leave out before anything is chosen.
    selection
        How to choose.
    real
        This share of the set is real pictures with their own captions: so many of the chosen, drawn
        at random, make room for them, and the set keeps its size. 0.25 is 25 % real and 75 %
        generated. (MI-TUNE, E.1 first calls x of MI+Real(x) the share of generated pictures, and
        then reads MI+Real(0.25) as 25 % real, which is what its table is taken to mean here.)
    finetune
        What differs of `finetune`.
    mean, rank
        No training: the mean of these arms' effective weights, a list for the plain one, or arms
        with weights that add up to 1; cut to `rank`, or exact.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    label: str
    round: Literal[1, 2] = 1
    images: PositiveInt | None = None
    categories: tuple[str, ...] = ()
    undecided: Undecided | None = None
    selection: Composition | None = None
    real: Share | None = None
    finetune: dict[str, Any] = Field(default_factory=dict)
    mean: Mean | None = None
    rank: PositiveInt | None = None

    @model_validator(mode="after")
    def _one_of_a_kind(self) -> Self:
        if self.selection and self.mean:
            raise ValueError("selection or mean: an arm is trained or merged; drop one of them")
        if self.selection is None and (self.finetune or self.real or self.undecided):
            raise ValueError("selection is missing: say how the set is chosen")
        if self.real and self.selection and self.selection.rows != "Single":
            raise ValueError(
                f"real: pictures go into sets of single ones, and selection.kind "
                f"{self.selection.kind!r} makes {self.selection.rows}; drop one of them"
            )
        if isinstance(self.mean, dict) and abs(sum(self.mean.values()) - 1) > _EXACT:
            raise ValueError(
                f"mean: weights add up to 1, not {sum(self.mean.values()):g}; a list of arms gives "
                "the plain mean"
            )
        return self

    @property
    def untrained(self) -> bool:
        """Whether it is the base."""
        return self.selection is None and self.mean is None

    @property
    def shares(self) -> dict[str, float]:
        """Of the arms in the mean, adding up to 1."""
        if isinstance(self.mean, dict):
            return self.mean
        return {name: 1 / len(self.mean) for name in self.mean} if self.mean else {}

    def chooser(self, repeat: int) -> Composition:
        """How it chooses; what is drawn at random is drawn anew for every repeat."""
        if self.selection is None:
            raise ValueError(f"{self.label}: chooses nothing")
        return _reseeded(self.selection, repeat)

    def training(self, common: Finetuning, repeat: int) -> Finetuning:
        """`common` with what the arm changes and the seed of this repeat.

        Raises
        ------
        ValidationError
            For a field that is not there, or a wrong value.
        """
        changed = _merged(common.model_dump(), self.finetune)
        return _reseeded(Finetuning.model_validate(changed), repeat)


def _reseeded(settings: Any, repeat: int) -> Any:
    if repeat == 0 or "seed" not in type(settings).model_fields:
        return settings
    return settings.model_copy(update={"seed": settings.seed + repeat})


def _merged(whole: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Blocks field by field; what has a kind of its own is replaced."""
    merged = dict(whole)
    for name, value in changes.items():
        there = whole.get(name)
        deeper = isinstance(value, Mapping) and isinstance(there, Mapping) and name not in _WHOLE
        merged[name] = _merged(there, value) if deeper else value  # type: ignore[arg-type]
    return merged
