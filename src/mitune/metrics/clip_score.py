"""CLIP-score: cosine between image and prompt in a CLIP model (Hessel et al. 2021, w = 1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import PositiveInt
from transformers import AutoTokenizer, CLIPModel

from mitune.metrics.base import MetricError, Scorer, Weights


class ClipScore(Weights):
    """Cosine in [-1, 1]. Departure from the paper: no factor 2.5 and no clipping at 0.

    Pictures are resized (bicubic) to the model's size if they differ, and normalised as `mean`
    and `std` say: by default to [-1, 1], as the miniature's CLIP was trained; OpenAI's have their
    own (metrics.scorers in conf/sd21).
    """

    kind: Literal["clip_score"] = "clip_score"
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    std: tuple[float, float, float] = (0.5, 0.5, 0.5)
    batch_size: PositiveInt = 128

    def load(self) -> Scorer:
        """Read the model.

        Raises
        ------
        MetricError
            If its weights are missing or truncated.
        """
        try:
            model = CLIPModel.from_pretrained(self.path, revision=self.revision).eval().float()
            tokenizer = AutoTokenizer.from_pretrained(self.path, revision=self.revision)
        except Exception as error:  # whichever of the many that transformers raises
            raise MetricError(
                f"{self.path}: the CLIP model cannot be read ({type(error).__name__}); restore it "
                "with `git checkout -- data/06_models`, download it, or correct metrics.*.path"
            ) from None

        @torch.inference_mode()
        def score(images: NDArray[np.uint8], prompts: Sequence[str]) -> NDArray[np.float64]:
            parts = []
            for start in range(0, len(images), self.batch_size):
                chosen = slice(start, start + self.batch_size)
                tokens = tokenizer(
                    list(prompts[chosen]),
                    padding="max_length",
                    truncation=True,
                    return_tensors="pt",
                )
                text = torch.nn.functional.normalize(
                    _pooled(model.get_text_features(**tokens)), dim=-1
                )
                pixels = self._pixels(images[chosen], model.config.vision_config.image_size)
                image = torch.nn.functional.normalize(
                    _pooled(model.get_image_features(pixel_values=pixels)), dim=-1
                )
                parts.append((text * image).sum(-1).double().numpy())
            return np.concatenate(parts)

        return score

    def _pixels(self, images: NDArray[np.uint8], size: int) -> torch.Tensor:
        pixels = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).float() / 255
        if pixels.shape[-1] != size:
            pixels = torch.nn.functional.interpolate(
                pixels, size=(size, size), mode="bicubic", antialias=True
            ).clamp(0, 1)
        mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (self.mean, self.std))
        return (pixels - mean) / std


def _pooled(features: object) -> torch.Tensor:
    """Transformers 5 returns an output record, 4 the tensor."""
    return features if isinstance(features, torch.Tensor) else features.pooler_output  # type: ignore[attr-defined]
