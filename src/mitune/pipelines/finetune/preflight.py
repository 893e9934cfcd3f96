"""The metric that an objective names, found among those of the run."""

from __future__ import annotations

from mitune.errors import UserError
from mitune.metrics import ClipScore, MetricConfig
from mitune.objectives import MetricChoice
from mitune.pipelines.shared.metrics import Metrics
from mitune.pipelines.shared.preflight import check_files
from mitune.training.finetuning import Finetuning


def check_metric(block: str, training: Finetuning, metrics: Metrics) -> None:
    """The metric of an objective must be there, with its weights. `block`: of `training`.

    Raises
    ------
    UserError
        Naming the field.
    """
    metric = chosen_metric(block, training, metrics)
    choice = _choice(training)
    check_files(f"{block}.objective.{choice.field}: metrics.scorers.{choice.name}", metric)


def chosen_metric(block: str, training: Finetuning, metrics: Metrics) -> MetricConfig:
    """The metric that the objective has chosen.

    Raises
    ------
    UserError
        If there is no such metric, or it cannot do what is asked of it.
    """
    choice = _choice(training)
    where = f"{block}.objective.{choice.field} is {choice.name!r}"
    metric = metrics.scorers.get(choice.name)
    if metric is None:
        raise UserError(
            f"{where}, but metrics.scorers has only {', '.join(metrics.scorers)}; add it there or "
            "choose one of them"
        )
    if choice.field == "encoder" and not isinstance(metric, ClipScore):
        raise UserError(
            f"{where}, a metric of kind {metric.kind!r}, which has no features of pictures and "
            "prompts; choose one of kind 'clip_score'"
        )
    return metric


def _choice(training: Finetuning) -> MetricChoice:
    choice = training.objective.metric
    if choice is None:
        raise ValueError(f"{training.objective.kind} needs no metric")
    return choice
