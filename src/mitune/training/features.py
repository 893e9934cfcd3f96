"""Features of the pictures and prompts of a set, for objectives that compare them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mitune.backbones import Backbone
from mitune.candidates import latents_of

Vectors: TypeAlias = NDArray[np.float32]
Encoder: TypeAlias = Callable[[NDArray[np.uint8], Sequence[str]], tuple[Vectors, Vectors]]

_AT_ONCE = 32  # pictures; never another number, since it may change the last digit


def with_features(selection: pd.DataFrame, backbone: Backbone, encoder: Encoder) -> pd.DataFrame:
    """`selection` with columns `image_features`, `prompt_features`: vectors as float32 bytes.

    `encoder` makes vectors (N, D) of pictures (N, H, W, 3), and of their N prompts.
    """
    texts = selection["prompt"].tolist()
    pictures: list[bytes] = []
    prompts: list[bytes] = []
    for place, latents in enumerate(latents_of(selection).split(_AT_ONCE)):
        start = place * _AT_ONCE
        seen, read = encoder(backbone.decode(latents), texts[start : start + len(latents)])
        pictures += [vector.astype(np.float32).tobytes() for vector in seen]
        prompts += [vector.astype(np.float32).tobytes() for vector in read]
    return selection.assign(image_features=pictures, prompt_features=prompts)
