"""A CLIP model as a pair of encoders onto the unit sphere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from mitune import libraries
from mitune.metrics.base import Network, batches
from mitune.metrics.prompt_limit import warn_of_cut

if TYPE_CHECKING:
    from transformers import CLIPModel


def read_clip(weights: Network) -> tuple[CLIPModel, Any]:
    """Model and tokenizer from a folder in transformers' format or a hub id."""
    model = weights.opened(libraries.transformers.CLIPModel)
    return model, weights.opened_tokenizer(libraries.transformers.AutoTokenizer)


class ClipEncoders:
    """Unit vectors of pictures and prompts; each prompt is encoded once."""

    def __init__(
        self,
        weights: Network,
        device: torch.device,
        read: Callable[[Network], tuple[CLIPModel, Any]] = read_clip,
    ) -> None:
        """Read the model. Raises MetricError if weights are missing or truncated."""
        self._source = weights.path
        with weights.reading("the CLIP model"):
            model, self._tokenizer = read(weights)
        self._model = model.eval().to(device)
        self._texts: dict[str, torch.Tensor] = {}

    @property
    def image_size(self) -> int:
        """Side of the pictures in pixels."""
        return int(self._model.config.vision_config.image_size)

    @property
    def width(self) -> int:
        """Length of the vectors."""
        return int(self._model.config.projection_dim)

    @property
    def logit_scale(self) -> float:
        """What a cosine is multiplied by in training."""
        return float(self._model.logit_scale.detach().double().exp())

    @torch.inference_mode()
    def images(self, pixels: torch.Tensor) -> torch.Tensor:
        """(N, D) float32 of `pixels` (N, 3, size, size)."""
        pixels = pixels.to(self._model.device, self._model.dtype)
        return _unit(self._model.get_image_features(pixel_values=pixels))

    @torch.inference_mode()
    def texts(self, prompts: Sequence[str]) -> torch.Tensor:
        """(N, D) float32; what is longer than the model reads is cut off."""
        new = [prompt for prompt in dict.fromkeys(prompts) if prompt not in self._texts]
        if new:
            warn_of_cut(self._tokenizer, new, self._tokenizer.model_max_length, self._source)
            tokens = self._tokenizer(
                new, padding="max_length", truncation=True, return_tensors="pt"
            ).to(self._model.device)
            vectors = _unit(self._model.get_text_features(**tokens))
            self._texts.update(zip(new, vectors, strict=True))
        return torch.stack([self._texts[prompt] for prompt in prompts])

    def cosines(
        self,
        images: NDArray[np.uint8],
        prompts: Sequence[str],
        pixels: Callable[[NDArray[np.uint8]], torch.Tensor],
        batch_size: int,
    ) -> NDArray[np.float64]:
        """(N,) cosines of picture i, prepared by `pixels`, and prompt i, taken in float32."""
        cosines = [
            (self.images(pixels(images[part])) * self.texts(prompts[part])).sum(-1)
            for part in batches(len(images), batch_size)
        ]
        return torch.cat(cosines).double().cpu().numpy()


def _unit(features: object) -> torch.Tensor:
    """Transformers 5 returns an output record, 4 the tensor."""
    vectors = features if isinstance(features, torch.Tensor) else features.pooler_output  # type: ignore[attr-defined]
    return torch.nn.functional.normalize(vectors.float(), dim=-1)
