"""What can be known to be wrong with the bench before any model is loaded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pydantic import ValidationError

from mitune.arm import Arm
from mitune.errors import UserError
from mitune.pipelines.compare.parameters import Compare
from mitune.pipelines.compare.points import Method
from mitune.pipelines.compose.parameters import Compose
from mitune.pipelines.compose.preflight import check_rows
from mitune.pipelines.finetune.preflight import check_metric
from mitune.pipelines.shared.metrics import Metrics
from mitune.training.finetuning import Finetuning
from mitune.training.optimisation import Optimisation

_BLOCKS = {Optimisation.__name__: "optimisation", Finetuning.__name__: ""}


def check_methods(
    arms: Iterable[Arm],
    settings: Compare,
    choices: Mapping[str, Compose],
    common: Finetuning,
    metrics: Metrics,
) -> None:
    """Every point of every arm must be trainable, on its set and by metrics that are there.

    `choices`: compositions of the run, by the name of their parameters.

    Raises
    ------
    UserError
        Naming the field.
    """
    for arm in arms:
        if arm.name not in settings.methods:
            raise UserError(f"compare.methods.{arm.name}: not there; leave {arm.name} out of arms")
        trainings = _points(str(arm.finetuning), settings.methods[arm.name], common)
        for training in trainings.values():
            if str(arm.composition) in choices:
                check_rows(arm, choices[str(arm.composition)], training)
            if training.objective.metric is not None:
                check_metric(str(arm.finetuning), training, metrics)


def _points(block: str, method: Method, common: Finetuning) -> dict[str, Finetuning]:
    try:
        return method.points(common)
    except UserError as error:
        raise UserError(f"{block}.{error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        of = _BLOCKS.get(error.title, "objective")
        where = ".".join(part for part in (block, of, field) if part)
        raise UserError(f"parameters, {where}: {first['msg']}") from None
