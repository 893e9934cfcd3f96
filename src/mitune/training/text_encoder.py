"""Training the text encoder with the network: prompts are encoded anew wherever they are used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from mitune.backbones import Backbone
from mitune.diffusion.denoiser import Condition, Denoiser
from mitune.diffusion.noise import NoisePath
from mitune.diffusion.prediction import Prediction
from mitune.errors import UserError
from mitune.training.adapted import has_one_encoder

_NUMBER = "prompt_number"


@dataclass(frozen=True, eq=False)
class EncodingDenoiser:
    """A denoiser conditioned on the numbers of its prompts, through whose encoder gradients flow.

    `numbered` gives the condition of texts; `predict` encodes each text of its batch once, as the
    pipeline does, with the encoder as it is then.
    """

    denoiser: Denoiser
    pipeline: Any
    device: torch.device
    texts: list[str] = field(default_factory=list)

    @property
    def path(self) -> NoisePath:
        """That of the denoiser."""
        return self.denoiser.path

    def numbered(self, prompts: Sequence[str]) -> Condition:
        """A row per prompt: its number."""
        first = len(self.texts)
        self.texts.extend(prompts)
        numbers = torch.arange(first, first + len(prompts), device=self.device)
        return Condition({_NUMBER: numbers})

    def predict(self, z_t: Tensor, t: Tensor, condition: Condition) -> Prediction:
        """As the denoiser predicts under the embeddings of those prompts."""
        numbers, places = condition.tensors[_NUMBER].unique(return_inverse=True)
        embeddings, _ = self.pipeline.encode_prompt(
            [self.texts[number] for number in numbers.tolist()],
            self.device,
            1,
            do_classifier_free_guidance=False,
        )
        return self.denoiser.predict(z_t, t, Condition({"prompt": embeddings[places]}))


def check_encoder(backbone: Backbone) -> None:
    """It takes a model whose only condition is what one text encoder says.

    Raises
    ------
    UserError
        Naming the field.
    """
    if not has_one_encoder(backbone):
        raise UserError(
            "finetune.adapter.text_encoder: true is for Stable Diffusion 1.x and 2.x; "
            f"{type(backbone.pipeline).__name__} has several encoders: set it to false"
        )


def encoding(backbone: Backbone) -> EncodingDenoiser:
    """The backbone's denoiser, with its text encoder beside the network on the accelerator."""
    backbone.pipeline.text_encoder.to(backbone.device)
    return EncodingDenoiser(backbone.denoiser, backbone.pipeline, backbone.device)
