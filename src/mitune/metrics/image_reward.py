"""ImageReward v1.0: a BLIP tuned on rankings by people (Xu et al. 2023).

arXiv:2304.05977.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from mitune import libraries
from mitune.metrics.affine import Affine
from mitune.metrics.base import Network, Scorer, batches, reading
from mitune.metrics.blip_names import blip_name
from mitune.metrics.checkpoint import build, count, released_file, tensors
from mitune.metrics.pixels import Pixels
from mitune.metrics.prompt_limit import warn_of_cut
from mitune.metrics.remedy import on_hub, remedy
from mitune.metrics.units import Units
from mitune.weights import read_tokenizer

if TYPE_CHECKING:
    from transformers import BlipTextModel, BlipVisionModel

_FILE = "ImageReward.pt"
_MEAN, _STD = 0.16717362830052426, 1.0333394966054072
_MAX_TOKENS = 35
_HEAD_WIDTH = 64


class ImageReward(Network):
    """Standardised reward, about -2 to 2. A prompt is read up to its 35th token.

    `path` is `THUDM/ImageReward` with its revision, its file ImageReward.pt, or a folder with it.
    The released code does not run on today's transformers; this is the same arithmetic on
    transformers' parts of BLIP: the text, [CLS] first and padded to 35, looks at the picture by
    cross-attention, and an affine map (the released MLP has no activations) reads position 0.
    """

    scale: ClassVar[str] = "standardised reward, about -2 to 2"
    units: ClassVar[Units] = Units("points")
    preprocessing: ClassVar[str] = "shorter side bicubic (PIL), centre crop, CLIP mean and std"

    kind: Literal["image_reward"] = "image_reward"
    tokenizer: Path = Path("google-bert/bert-base-uncased")
    tokenizer_revision: str | None = "86b5e0934494bd15c9632b12f734a8a67f723594"

    @property
    def files(self) -> dict[str, Path]:
        """With the tokenizer's folder, unless it is the hub's."""
        words = not on_hub(self.tokenizer, self.tokenizer_revision)
        return {**super().files, **({"tokenizer": self.tokenizer} if words else {})}

    def load(self, device: torch.device) -> Scorer:
        """Read the model. Raises MetricError if weights are missing or truncated."""
        file = released_file(self, _FILE)
        state = tensors(file)
        with reading("ImageReward", file):
            reward = Affine.folded(state, "mlp.layers.")
            parts = {blip_name(n.removeprefix("blip.")): value for n, value in state.items()}
            vision = _vision(_within(parts, "vision_model."), self.torch_dtype, file)
            text = _text(_within(parts, "text_encoder."), self.torch_dtype, file)
        with reading("the tokenizer", self.tokenizer, self.tokenizer_revision):
            tokenizer = read_tokenizer(
                libraries.transformers.AutoTokenizer,
                self.tokenizer,
                self.tokenizer,
                remedy(self.tokenizer),
                revision=self.tokenizer_revision,
            )
        vision, text = (part.eval().to(device) for part in (vision, text))
        pixels = Pixels(int(vision.config.image_size))

        known: set[str] = set()

        @torch.inference_mode()
        def read(images: NDArray[np.uint8], prompts: Sequence[str]) -> torch.Tensor:
            warn_of_cut(tokenizer, set(prompts) - known, _MAX_TOKENS, file)
            known.update(prompts)
            seen = vision(pixels(images).to(device, vision.dtype)).last_hidden_state
            tokens = tokenizer(
                list(prompts),
                padding="max_length",
                truncation=True,
                max_length=_MAX_TOKENS,
                return_tensors="pt",
            ).to(device)
            states = text(
                tokens.input_ids,
                attention_mask=tokens.attention_mask,
                encoder_hidden_states=seen,
            ).last_hidden_state
            return reward(states[:, 0].float())

        def score(images: NDArray[np.uint8], prompts: Sequence[str]) -> NDArray[np.float64]:
            rewards = [
                read(images[part], prompts[part]) for part in batches(len(images), self.batch_size)
            ]
            return ((torch.cat(rewards) - _MEAN) / _STD).numpy()

        return score


def _within(state: Mapping[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    """Tensors below `prefix`; of position ids there is nothing to load."""
    return {
        name.removeprefix(prefix): value
        for name, value in state.items()
        if name.startswith(prefix) and not name.endswith("position_ids")
    }


def _vision(state: Mapping[str, torch.Tensor], dtype: torch.dtype, source: Path) -> BlipVisionModel:
    width, _, patch, _ = state["embeddings.patch_embedding.weight"].shape
    patches = state["embeddings.position_embedding"].shape[1] - 1
    config = libraries.transformers.BlipVisionConfig(
        hidden_size=width,
        intermediate_size=state["encoder.layers.0.mlp.fc1.weight"].shape[0],
        num_hidden_layers=count(state, "encoder.layers."),
        num_attention_heads=width // _HEAD_WIDTH,
        image_size=patch * round(patches**0.5),
        patch_size=patch,
        layer_norm_eps=1e-6,
    )
    return build(libraries.transformers.BlipVisionModel, config, state, dtype, source)


def _text(state: Mapping[str, torch.Tensor], dtype: torch.dtype, source: Path) -> BlipTextModel:
    vocabulary, width = state["embeddings.word_embeddings.weight"].shape
    first = "encoder.layer.0."
    config = libraries.transformers.BlipTextConfig(
        vocab_size=vocabulary,
        hidden_size=width,
        encoder_hidden_size=state[f"{first}crossattention.self.key.weight"].shape[1],
        intermediate_size=state[f"{first}intermediate.dense.weight"].shape[0],
        num_hidden_layers=count(state, "encoder.layer."),
        num_attention_heads=width // _HEAD_WIDTH,
        max_position_embeddings=state["embeddings.position_embeddings.weight"].shape[0],
    )
    return build(
        libraries.transformers.BlipTextModel, config, state, dtype, source, add_pooling_layer=False
    )
