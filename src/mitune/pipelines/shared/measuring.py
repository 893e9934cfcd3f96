"""Work that measures images: decode the shards of some prompts, score the pictures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm import tqdm

from mitune.backbones import AdapterRef, ModelRef
from mitune.datasets.shards import Shards
from mitune.evaluation import measure
from mitune.jobs import Worker, run
from mitune.metrics import Scorer
from mitune.pipelines.shared.metrics import Metrics
from mitune.pipelines.shared.painting import open_on
from mitune.pipelines.shared.resources import Resources
from mitune.pipelines.shared.workers import executor_of


class Measured(NamedTuple):
    """A prompt's images: their scores, and those pictures that were asked for."""

    prompt_id: str
    table: pd.DataFrame
    pictures: NDArray[np.uint8]


@dataclass(frozen=True)
class Measuring:
    """Jobs are prompt ids; the first `images` of a shard are measured.

    `pictures`: how many of each prompt are handed back. Every prompt is decoded by itself, so that
    its numbers do not depend on who shares its job.
    """

    shards: Shards
    images: int
    pictures: Mapping[str, int]
    model: ModelRef
    metrics: Metrics
    resources: Resources

    def __call__(self, job: PromptIds, worker: Worker) -> Iterator[Measured]:
        backbone = open_on(worker, "decoder", self.model, AdapterRef(None), self.resources)
        scorers = loaded(self.metrics, worker)
        for prompt_id in job:
            shard = self.shards[prompt_id].head(self.images)
            table, pictures = measure(backbone, shard, scorers)
            yield Measured(prompt_id, table, pictures[: self.pictures.get(prompt_id, 0)])


class PromptIds(tuple[str, ...]):
    """A job."""

    def __str__(self) -> str:
        return f"images of {', '.join(self)}"


def loaded(metrics: Metrics, worker: Worker) -> dict[str, Scorer]:
    """The scorers on the worker's device, kept there."""
    return worker.keep(
        "scorers", metrics.model_dump_json(), lambda: nullcontext(metrics.load(worker.device))
    )


def measured(work: Measuring, prompt_ids: Sequence[str]) -> list[Measured]:
    """All prompts, in their order, with a bar."""
    at_once = max(1, work.resources.batch_size // work.images)
    starts = range(0, len(prompt_ids), at_once)
    jobs = [PromptIds(prompt_ids[start : start + at_once]) for start in starts]
    executor = executor_of(work.resources, work.model, *work.metrics.scorers.values())
    by_prompt = {}
    with tqdm(total=len(prompt_ids), desc="measure", unit="prompt") as progress:
        for result in run(jobs, work, lambda job: False, executor):
            by_prompt[result.value.prompt_id] = result.value
            progress.update()
    return [by_prompt[prompt_id] for prompt_id in prompt_ids]
