"""The networks of a pipeline, each of them through the one gate for weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mitune import libraries
from mitune.references import DType, ModelRef
from mitune.weights import read_network

WEIGHTED = ("vae", "text_encoder", "text_encoder_2", "text_encoder_3", "unet", "transformer")
TOKENIZERS = ("tokenizer", "tokenizer_2", "tokenizer_3")
_FIX = "restore or download the folder again"


def read_parts(ref: ModelRef, index: Mapping[str, Any], dtype: DType) -> dict[str, nn.Module]:
    """Networks of `ref` by name, whose classes `index` names; the autoencoder is float32.

    The pipeline's own loader would fill what is missing with random numbers.

    Raises
    ------
    WeightsError
        Naming the file and the tensor.
    """
    parts = {}
    for name in WEIGHTED:
        library, kind = index.get(name) or (None, None)
        if library is None or kind is None:
            continue
        precision = torch.float32 if name == "vae" else getattr(torch, dtype)
        argument = "torch_dtype" if library == "diffusers" else "dtype"
        parts[name] = read_network(
            getattr(getattr(libraries, library), kind),
            ref.path,
            ref.path if ref.from_hub else Path(ref.path) / name,
            _FIX,
            subfolder=name,
            revision=ref.revision,
            **{argument: precision},
        )
    return parts
