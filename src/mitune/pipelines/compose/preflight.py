"""What can be known to be wrong with compositions before any model is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

from mitune.arm import Arm
from mitune.candidates import ESTIMATES, Generation
from mitune.composition import Composition
from mitune.errors import UserError
from mitune.objectives import Online
from mitune.pipelines.compose.parameters import Compose
from mitune.pipelines.shared.metrics import Metrics
from mitune.training.finetuning import Finetuning


def check_choices(choices: Mapping[str, Compose], settings: Generation, metrics: Metrics) -> None:
    """All compositions of a run."""
    for name, choice in choices.items():
        check_choice(name, choice, settings, metrics)


def check_choice(name: str, choice: Compose, settings: Generation, metrics: Metrics) -> None:
    """A composition must find its candidates and its scores.

    Raises
    ------
    UserError
        Naming the field.
    """
    selection = choice.selection
    images, least = settings.images_per_prompt, selection.least
    if max(selection.k or 0, least) > images:
        needs = "" if least == selection.k else f" and {selection.kind} needs {least} candidates"
        raise UserError(
            f"{name}.selection.k is {selection.k}{needs}, but generate.images_per_prompt is only "
            f"{images}; lower k or raise images_per_prompt"
        )
    scoring = settings.scoring
    made = [name for name in ESTIMATES if getattr(scoring, name) is not None]
    for score in selection.scores:
        if score not in (*made, *metrics.scorers):
            raise UserError(
                f"{name}.selection.score is {score!r}, but generate.scoring makes only "
                f"{', '.join(made) or 'nothing'} and metrics.scorers {', '.join(metrics.scorers)}; "
                "add it there or choose one of them"
            )


def check_rows(arm: Arm, choice: Compose, training: Finetuning) -> None:
    """A set must be of the rows that the arm's objective trains on; online, prompts are enough.

    Raises
    ------
    UserError
        Naming both fields.
    """
    selection, objective = choice.selection, training.objective
    rows = type(objective).rows
    eaten = {kind.__name__ for kind in rows.__mro__}  # what a kind adds is made in training
    if isinstance(objective, Online) or selection.rows in eaten:
        return
    union, _ = get_args(Composition)
    fitting = [kind.model_fields["kind"].default for kind in get_args(union) if kind.rows in eaten]
    fix = (
        f"choose {' or '.join(fitting)} for {arm.composition}" if fitting else "no kind makes them"
    )
    raise UserError(
        f"{arm.composition}.selection.kind is {selection.kind!r}, which makes rows {selection.rows}"
        f", but {arm.finetuning}.objective.kind is {objective.kind!r}, which trains on "
        f"{rows.__name__}; {fix}, or choose another objective"
    )
