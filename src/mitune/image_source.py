"""Images that another model paints: its latents in the terms of the model that learns from them.

A checkpoint that a base model was fine-tuned into (SPRIGHT for Stable Diffusion 2.1, MI-TUNE
section 4) may predict another quantity, read prompts with other text encoders and work at another
resolution. Its predictions are read by its own `Prediction`, prompts are encoded anew by whoever
trains, and latents go by way of pictures.

arXiv:2404.01197.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from PIL import Image
from torch import Tensor

from mitune.backbones import Backbone

Transfer: TypeAlias = Callable[[Tensor], Tensor]


def transfer(source: Backbone, target: Backbone) -> Transfer:
    """Latents (N, C, h, w) of `source` to latents of `target`: decoded, resized, encoded.

    Bicubic. The released code gives the target latents of the source's resolution as they are.
    """
    size = (target.image_size, target.image_size)

    def transferred(latents: Tensor) -> Tensor:
        pictures = source.decode(latents)
        resized = [Image.fromarray(p).resize(size, Image.Resampling.BICUBIC) for p in pictures]
        return target.encode(np.stack([np.asarray(picture) for picture in resized]))

    return transferred
