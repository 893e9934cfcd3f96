"""Open a model with an adapter on it, and give its memory back."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from mitune.backbones import AdapterRef, Backbone, DType, ModelRef, open_backbone
from mitune.pipelines.shared.resources import Resources
from mitune.training import adapters


@contextmanager
def opened(
    model: ModelRef, adapter: AdapterRef, resources: Resources, dtype: DType = "float32"
) -> Iterator[Backbone]:
    """The model with `adapter` fused into it."""
    backbone = open_backbone(model, resources.torch_device, dtype, resources.offload)
    try:
        adapters.load(backbone, adapter)
        adapters.fuse(backbone)
        if resources.compile:
            backbone.network.compile()
        yield backbone
    finally:
        del backbone
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
