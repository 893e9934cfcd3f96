"""Read examples, encode their pictures, compare what was trained on them with the base."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm import tqdm

from mitune import comparison
from mitune.backbones import AdapterRef, ModelRef, family_of
from mitune.datasets.workspace import Workspace
from mitune.example_sets import Example
from mitune.example_sets.encoding import encoded
from mitune.example_sets.index import index
from mitune.example_sets.rows import trained_on
from mitune.lineage import source_code
from mitune.objectives import Online
from mitune.pipelines.finetune_on.parameters import Examples
from mitune.pipelines.shared.metrics import Metrics
from mitune.pipelines.shared.models import opened
from mitune.pipelines.shared.resources import Resources
from mitune.training.finetuning import Finetuning


def read_examples(settings: Examples, training: Finetuning) -> tuple[pd.DataFrame, pd.DataFrame]:
    """All examples, and the fine-tuning set that the objective eats of them.

    No model is opened: what is wrong with the files is said before one is.
    """
    examples = index(settings.source.read(), settings.repeats, settings.most)
    return examples, for_objective(examples, training)


def for_objective(examples: pd.DataFrame, training: Finetuning) -> pd.DataFrame:
    """The fine-tuning set; an objective that paints for itself takes the prompts of any."""
    objective = training.objective
    kinds = {kind.__name__ for kind in type(objective).rows.__mro__}
    return trained_on(examples, frozenset({"Single"} if isinstance(objective, Online) else kinds))


def encode_pictures(
    settings: Examples,
    examples: pd.DataFrame,
    model: ModelRef,
    workspace: Workspace,
    resources: Resources,
) -> Iterator[dict[str, pd.DataFrame | Path]]:
    """Latents of all pictures, part by part, made where they are not there yet."""
    yield from encode(settings.source.read(), examples, model, workspace, resources)


def encode(
    source: Iterable[Example],
    examples: pd.DataFrame,
    model: ModelRef,
    workspace: Workspace,
    resources: Resources,
) -> Iterator[dict[str, pd.DataFrame | Path]]:
    """Parts of an index of `source`: files of those that are finished, then tables of the others.

    A part is known by its pictures, the model and the code; no model is opened if all are there.
    """
    code = source_code.computing(None, encoded.__module__, family_of(model).__module__)
    facts = {part: _facts(part, model, code) for part in dict.fromkeys(examples["shard"])}
    finished = workspace.shards({part: str(fact["key"]) for part, fact in facts.items()})
    if len(finished):
        yield dict(finished.files)
    missing = {part: fact for part, fact in facts.items() if part not in finished}
    if not missing:
        return
    with opened(model, AdapterRef(None), resources) as backbone:
        parts = encoded(backbone, source, examples, missing, resources.batch_size)
        for part, table in tqdm(parts, total=len(missing), desc="encode", unit="part"):
            yield {part: table}


def _facts(part: str, model: ModelRef, code: dict[str, str]) -> dict[str, Any]:
    made_by = {"pictures": part, "model": model.digest, "code": code}
    key = hashlib.sha256(json.dumps(made_by, sort_keys=True).encode()).hexdigest()[:16]
    return {"key": key, "made_by": made_by}


def compare_with_base(metrics: Metrics, base: pd.DataFrame, given: pd.DataFrame) -> pd.DataFrame:
    """Every metric of both on the test prompts, with intervals and the paired difference."""
    return comparison.summarise({"base": base, "given": given}, list(metrics.scorers), "base")
