"""What can be known to be wrong with studies before any model is loaded."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, TypeAlias

from pydantic import BaseModel, ValidationError

from mitune.candidates import ESTIMATES, Generation
from mitune.errors import UserError
from mitune.objectives import Online
from mitune.pipelines.prompts.parameters import Prompts
from mitune.pipelines.shared.metrics import Metrics
from mitune.pipelines.studies.arm import StudyArm
from mitune.pipelines.studies.parameters import CATEGORIES, STUDIES, Studies
from mitune.training.finetuning import Finetuning

Typed: TypeAlias = Callable[[type[BaseModel], str], Any]


def check_benches(used: Collection[str], typed: Typed) -> None:
    """Those of `used` datasets that are parameters of studies; `typed` reads a block as a class.

    Raises
    ------
    UserError
        As `check_studies`.
    """
    for block in (STUDIES, CATEGORIES):
        if f"params:{block}" in used:
            studies = typed(Studies, block)
            check_studies(
                block,
                studies,
                typed(Generation, "generate"),
                typed(Metrics, "metrics"),
                typed(Finetuning, "finetune"),
                (studies.prompts or typed(Prompts, "prompts")).categories,
            )


def check_studies(
    block: str,
    studies: Studies,
    generate: Generation,
    metrics: Metrics,
    finetune: Finetuning,
    categories: Collection[str],
) -> None:
    """Every arm of parameters `block` must find what it chooses by, and be trainable.

    `categories`: those of the prompts; none if the source says.

    Raises
    ------
    UserError
        Naming the field.
    """
    estimates = [name for name in ESTIMATES if getattr(generate.scoring, name) is not None]
    for name, arm in studies.trained.items():
        where = f"{block}.arms.{name}"
        if arm.selection is None:
            continue
        first = arm.round == 1
        made = [*estimates, *metrics.scorers] if first else estimates
        _check_scores(where, arm, made)
        images = arm.images or (studies.images_per_prompt if first else generate.images_per_prompt)
        least = max(arm.selection.k or 0, arm.selection.least)
        if least > images:
            raise UserError(
                f"{where}.selection needs {least} candidates of a prompt, and it has {images}; "
                "lower k, or paint more"
            )
        absent = sorted(set(arm.categories) - set(categories)) if categories else []
        if absent:
            raise UserError(
                f"{where}.categories: no prompts of {', '.join(absent)}; choose of "
                f"{', '.join(categories)}"
            )
        _check_training(where, arm, finetune)
    for name, study in studies.shown.items():
        for claim in study.claims:
            if claim.category and categories and claim.category not in categories:
                raise UserError(
                    f"{block}.studies.{name}.claims: no prompts of category {claim.category!r}; "
                    f"choose of {', '.join(categories)}"
                )


def _check_scores(where: str, arm: StudyArm, made: Collection[str]) -> None:
    wanted = list(arm.selection.scores) if arm.selection else []
    if arm.undecided is not None:
        wanted.append(arm.undecided.score)
    for score in wanted:
        if score not in made:
            raise UserError(
                f"{where}: goes by {score!r}, but candidates of round {arm.round} have only "
                f"{', '.join(made)}; choose one of them"
            )


def _check_training(where: str, arm: StudyArm, finetune: Finetuning) -> None:
    try:
        training = arm.training(finetune, 0)
    except ValidationError as error:
        found = error.errors()[0]
        field = ".".join(map(str, found["loc"]))
        raise UserError(f"{where}.finetune.{field}: {found['msg']}") from None
    objective = training.objective
    if isinstance(objective, Online) or objective.metric is not None:
        raise UserError(
            f"{where}.finetune.objective.kind is {objective.kind!r}, which needs a metric to "
            "train; studies train on sets alone: choose another"
        )
    eaten = {kind.__name__ for kind in type(objective).rows.__mro__}
    if arm.selection is not None and arm.selection.rows not in eaten:
        raise UserError(
            f"{where}.selection.kind is {arm.selection.kind!r}, which makes rows "
            f"{arm.selection.rows}, but its objective {objective.kind!r} trains on "
            f"{type(objective).rows.__name__}; change one of them"
        )
