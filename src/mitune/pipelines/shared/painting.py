"""Work that makes images: one batch of prompts after the other, on a model that stays open."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pandas as pd

from mitune.backbones import AdapterRef, Backbone, DType, ModelRef
from mitune.candidates import Batch, Generation, Source, make_batch
from mitune.image_source import transfer
from mitune.jobs import Worker
from mitune.pipelines.shared.models import opened
from mitune.pipelines.shared.resources import Resources


@dataclass(frozen=True)
class Painting:
    """Batches of `source`: (prompt_id, candidates) of each prompt."""

    source: Source
    settings: Generation
    resources: Resources

    def __call__(self, batch: Batch, worker: Worker) -> Iterator[tuple[str, pd.DataFrame]]:
        source, settings = self.source, self.settings
        backbone = open_on(
            worker, "painter", source.model, source.adapter, self.resources, settings.dtype
        )
        size = self.resources.batch_size
        if source.target is None:
            yield from make_batch(backbone, source, batch, settings, size)
            return
        target = open_on(worker, "target", source.target, AdapterRef(None), self.resources)
        yield from make_batch(backbone, source, batch, settings, size, transfer(backbone, target))


def open_on(
    worker: Worker,
    slot: str,
    model: ModelRef,
    adapter: AdapterRef,
    resources: Resources,
    dtype: DType = "float32",
) -> Backbone:
    """As `opened`, on the worker's device, and kept there for its next job."""
    here = resources.model_copy(update={"device": str(worker.device)})
    key = (model, replace(adapter, round=0), dtype, here.compile, here.offload)
    return worker.keep(slot, key, lambda: opened(model, adapter, here, dtype))
