"""PickScore: a CLIP ViT-H/14 tuned on Pick-a-Pic (Kirstain et al. 2023).

arXiv:2305.01569.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from mitune.metrics.base import Network, Scorer
from mitune.metrics.clip_model import ClipEncoders
from mitune.metrics.pixels import Pixels
from mitune.metrics.units import Units


class PickScore(Network):
    """exp(logit scale) times cosine, the README's scale: about 18 to 24.

    Other code has other scales: Diffusion-DPO's utilities give the plain cosine, flow_grpo divides
    by 26. Ranks and win rates are the same, numbers are not. Weights:
    `yuvalkirstain/PickScore_v1`, which holds the processor of
    `laion/CLIP-ViT-H-14-laion2B-s32B-b79K`, its own base.
    """

    scale: ClassVar[str] = "exp(logit scale) times cosine, about 18 to 24"
    units: ClassVar[Units] = Units("logit")
    preprocessing: ClassVar[str] = (
        "shorter side bicubic (PIL), centre crop rounded down, CLIP mean and std"
    )

    kind: Literal["pick_score"] = "pick_score"

    def load(self, device: torch.device) -> Scorer:
        """Read the model. Raises MetricError if weights are missing or truncated."""
        clip = ClipEncoders(self, device)
        pixels = Pixels(clip.image_size, "crop_floor")

        def score(images: NDArray[np.uint8], prompts: Sequence[str]) -> NDArray[np.float64]:
            return clip.logit_scale * clip.cosines(images, prompts, pixels, self.batch_size)

        return score
