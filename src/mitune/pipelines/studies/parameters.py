"""Studies: arms that are trained on the same budget, and tables that hold them together."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, model_validator
from typing_extensions import Self

from mitune.pipelines.prompts.parameters import Prompts
from mitune.pipelines.studies.arm import StudyArm
from mitune.pipelines.studies.pairs import ManifestPictures, PairSource

STUDIES, CATEGORIES = "studies", "categories"
"""Blocks of parameters, and the pipelines of that name."""


class Claim(BaseModel):
    """What a paper concludes: arm `higher` is above arm `lower` on the headline metric.

    `category`: on the prompts of this one alone; none: on all.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    says: str
    higher: str
    lower: str
    category: str | None = None


class Study(BaseModel):
    """A table of arms, and the published one.

    `against`: the arm that the others are held against. `published`: how names of tables begin
    (`kedro paper-table`). `beside`: which row of them an arm answers to. `differs`: what is not as
    in the paper.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str
    arms: tuple[str, ...] = Field(min_length=2)
    against: str
    published: tuple[str, ...] = ()
    beside: dict[str, str] = Field(default_factory=dict)
    differs: str = ""
    claims: tuple[Claim, ...] = ()

    @property
    def named(self) -> set[str]:
        """Arms that anything here speaks of."""
        claimed = {name for claim in self.claims for name in (claim.higher, claim.lower)}
        return {*self.arms, self.against, *self.beside, *claimed}

    def of(self, arms: Collection[str]) -> Study:
        """What is left of it with these arms alone."""
        claims = [claim for claim in self.claims if {claim.higher, claim.lower} <= set(arms)]
        return self.model_copy(
            update={
                "arms": tuple(name for name in self.arms if name in arms),
                "beside": {name: row for name, row in self.beside.items() if name in arms},
                "claims": tuple(claims),
            }
        )


class Studies(BaseModel):
    """All of a run.

    `images_per_prompt`: candidates that the arms choose from, painted as `generate` says; those
    that are there already are kept. `repeats`: trainings of each arm, with seeds one after the
    other. `real`: pictures with captions, for arms that mix them in. `prompts`: its own, where they
    are not the main job's.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    images_per_prompt: int = Field(ge=3)  # the first, the middle and the last are shown
    repeats: PositiveInt = 1
    real: PairSource | None = None
    prompts: Prompts | None = None
    arms: dict[str, StudyArm | None]
    studies: dict[str, Study | None]

    @model_validator(mode="after")
    def _hold_together(self) -> Self:
        for name, study in self.studies.items():
            unknown = sorted(study.named - self.arms.keys()) if study else []
            if unknown:
                raise ValueError(f"studies.{name}: no arm {unknown[0]!r}; add it to arms")
        for name, arm in self.trained.items():
            for part in arm.mean or ():
                if part not in self.trained or self.trained[part].mean:
                    raise ValueError(f"arms.{name}.mean: no trained arm {part!r}; add it to arms")
            if arm.real is not None and self.real is None:
                raise ValueError(f"arms.{name}.real: there are no real pictures; say which in real")
            if arm.round == 1 and (arm.images or 0) > self.images_per_prompt:
                raise ValueError(
                    f"arms.{name}.images is {arm.images}, but images_per_prompt is only "
                    f"{self.images_per_prompt}; lower the one or raise the other"
                )
        for name, study in self.shown.items():
            if study.against not in self.every or len(study.arms) < 2:
                raise ValueError(
                    f"studies.{name}: nothing is left to compare; make it null, or give arms back"
                )
        return self

    @property
    def every(self) -> dict[str, StudyArm]:
        """Arms by name; `null` drops one of base."""
        return {name: arm for name, arm in self.arms.items() if arm is not None}

    @property
    def shown(self) -> dict[str, Study]:
        """Studies by name, without arms that are dropped; `null` drops one of base."""
        there = self.every.keys()
        return {name: study.of(there) for name, study in self.studies.items() if study is not None}

    @property
    def trained(self) -> dict[str, StudyArm]:
        """Arms that have an adapter."""
        return {name: arm for name, arm in self.every.items() if not arm.untrained}

    @property
    def files(self) -> tuple[Path, ...]:
        """Pictures that are read: their contents count like parameters."""
        return (self.real.path,) if isinstance(self.real, ManifestPictures) else ()


def adapter_name(arm: str, repeat: int) -> str:
    """Of one training of an arm."""
    return f"{arm}__{repeat}"
