"""Train an adapter on what a metric says: for its reward, or on sets whose pictures it compares.

Apart from `nodes`, so that an adapter that needs no metric hangs on none.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from mitune.backbones import AdapterRef, ModelRef
from mitune.datasets.shards import Shards
from mitune.datasets.workspace import Workspace
from mitune.metrics import ClipScore, MetricConfig
from mitune.objectives import Online
from mitune.pipelines.finetune.key import adapter_key
from mitune.pipelines.finetune.nodes import found_or_trained, trainable
from mitune.pipelines.finetune.preflight import chosen_metric
from mitune.pipelines.finetune.training import Training
from mitune.pipelines.shared.metrics import Metrics, metric_key
from mitune.pipelines.shared.resources import Resources
from mitune.training.finetuning import Finetuning


def train_by_metric(
    finetuning_set: pd.DataFrame,
    candidates: Shards,
    model: ModelRef,
    adapter_in: AdapterRef,
    workspace: Workspace,
    settings: Finetuning,
    resources: Resources,
    metrics: Metrics,
) -> tuple[AdapterRef, pd.DataFrame]:
    """As `train`, with the metric that the objective names; no other one matters.

    Raises
    ------
    UserError
        As `train`, or if the metric cannot read a prompt of the set.
    """
    selection = trainable(finetuning_set, candidates, adapter_in, settings)
    metric = chosen_metric("finetune", settings, metrics)
    metric.check(sorted(set(selection["prompt"])))
    scratch = workspace.scratch
    training = training_by(metric, selection, model, adapter_in, scratch, settings, resources)
    return found_or_trained(training, workspace, metric)


def training_by(
    metric: MetricConfig,
    selection: pd.DataFrame,
    model: ModelRef,
    adapter_in: AdapterRef,
    scratch: Path,
    settings: Finetuning,
    resources: Resources,
) -> Training:
    """The training whose objective names `metric`."""
    rewarded = isinstance(settings.objective, Online)
    return Training(
        selection,
        model,
        adapter_in,
        scratch,
        adapter_key(selection, model, adapter_in, settings, metric_key(metric)),
        settings,
        resources,
        reward=metric.load if rewarded else None,
        encoder=metric.load_encoder if isinstance(metric, ClipScore) and not rewarded else None,
    )
