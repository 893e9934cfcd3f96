"""Human Preference Score: a CLIP ViT-H/14 tuned on human choices (Wu et al. 2023, HPS v2).

arXiv:2306.09341.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from mitune import libraries
from mitune.metrics.base import MetricError, Network, Scorer, reading
from mitune.metrics.checkpoint import released_file, tensors
from mitune.metrics.clip_model import ClipEncoders, read_clip
from mitune.metrics.open_clip import from_open_clip
from mitune.metrics.padded_pixels import PaddedPixels
from mitune.metrics.remedy import on_hub, remedy
from mitune.metrics.units import Units
from mitune.weights import read_tokenizer

if TYPE_CHECKING:
    from transformers import CLIPModel

_FILES = {"v2.0": "HPS_v2_compressed.pt", "v2.1": "HPS_v2.1_compressed.pt"}


class HpsScore(Network):
    """Cosine of picture and prompt, without the logit scale. v2.0 and v2.1 are two metrics.

    Weights: `path` is `xswu/HPSv2` with its revision, a file of it, a folder that holds one, or a
    folder that transformers saved a CLIPModel in. `version` says which of the two files; of a
    renamed file or a saved folder it is taken on trust. `tokenizer` is for the released files,
    which come without.

    `antialias` is torchvision's: on by default today and in MI-TUNE's environment. Users of the
    released code get 1.9 of 100 less than its README, which would fit that it was off there
    (HPSv2 issue 43; not verified).

    Departures from hpsv2's code: float32 (there float16 on a GPU, steps of 2.4e-4); a picture
    whose longer side is as wanted is padded too; transformers' tokenizer does not repair broken
    Unicode as ftfy does.
    """

    scale: ClassVar[str] = "cosine, -1 to 1 (published tables: times 100)"
    units: ClassVar[Units] = Units("cosine")
    preprocessing: ClassVar[str] = (
        "longer side bicubic on the tensor, black padding, CLIP mean and std"
    )

    kind: Literal["hps"] = "hps"
    version: Literal["v2.0", "v2.1"]
    antialias: bool = True
    tokenizer: Path = Path("openai/clip-vit-large-patch14")
    tokenizer_revision: str | None = "32bd64288804d66eefd0ccbe215aa642df71cc41"

    @property
    def files(self) -> dict[str, Path]:
        """With the tokenizer's folder, if it is wanted and not the hub's."""
        words = not (self._saved or on_hub(self.tokenizer, self.tokenizer_revision))
        return {**super().files, **({"tokenizer": self.tokenizer} if words else {})}

    @property
    def published(self) -> str:
        """Its name in `mitune.paper_tables`."""
        return f"hps_{self.version}"

    def load(self, device: torch.device) -> Scorer:
        """Read the model.

        Raises
        ------
        MetricError
            If weights are missing, truncated, or by name those of the other version.
        """
        clip = ClipEncoders(self, device, read_clip if self._saved else self._released)
        pixels = PaddedPixels(clip.image_size, self.antialias)

        def score(images: NDArray[np.uint8], prompts: Sequence[str]) -> NDArray[np.float64]:
            return clip.cosines(images, prompts, pixels, self.batch_size)

        return score

    @property
    def _saved(self) -> bool:
        """Whether transformers saved the model, and with it a tokenizer."""
        return (self.path / "config.json").exists()

    def _released(self, _: Network) -> tuple[CLIPModel, Any]:
        file = released_file(self, _FILES[self.version])
        named = next((version for version, name in _FILES.items() if name == file.name), None)
        if named not in (self.version, None):
            raise MetricError(
                f"{file}: is HPS {named}, but its `version` is {self.version}; correct either"
            )
        model = from_open_clip(tensors(file), self.torch_dtype, file)
        with reading("the tokenizer", self.tokenizer, self.tokenizer_revision):
            tokenizer = read_tokenizer(
                libraries.transformers.AutoTokenizer,
                self.tokenizer,
                self.tokenizer,
                remedy(self.tokenizer),
                revision=self.tokenizer_revision,
                model_max_length=model.config.text_config.max_position_embeddings,
            )
        return model, tokenizer
