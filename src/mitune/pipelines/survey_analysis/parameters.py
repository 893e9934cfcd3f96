"""What is asked, and whom."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, field_validator

from mitune.survey.row import GROUP
from mitune.survey.study import Questions


class MetricsSurvey(BaseModel):
    """Pictures that the estimate of MI and each metric choose.

    `estimate`: null is the last of the estimates that candidates have. `metrics`: none is all.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    questions: Questions
    estimate: Literal["path", "forward", "information"] | None = None
    metrics: tuple[str, ...] = ()


class MethodsSurvey(BaseModel):
    """Pictures that different models paint of the same prompt and seed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    questions: Questions


class Survey(BaseModel):
    """`consent` stands above the button that starts; `groups` are asked for, if there are any."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    metrics: MetricsSurvey
    methods: MethodsSurvey
    groups: tuple[str, ...] = ()
    consent: str

    @field_validator("groups")
    @classmethod
    def _are_folders(cls, groups: tuple[str, ...]) -> tuple[str, ...]:
        for group in groups:
            if not GROUP.fullmatch(group):
                raise ValueError(f"{group!r}: use letters, digits, '_' and '-': it names a folder")
        return groups
