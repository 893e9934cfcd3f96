"""BLIP's question answering, called part by part: states of a picture, logits of an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from transformers import BlipForQuestionAnswering


def image_states(model: BlipForQuestionAnswering, pixels: torch.Tensor) -> torch.Tensor:
    """(N, T, D) of `pixels` (N, 3, size, size), whatever size the position table is for."""
    states: torch.Tensor = model.vision_model(
        pixel_values=pixels, interpolate_pos_encoding=True
    ).last_hidden_state
    return states


def answer_logits(
    model: BlipForQuestionAnswering, states: torch.Tensor, questions: torch.Tensor
) -> torch.Tensor:
    """(N, V) logits of the first word of the answer to question i about picture i.

    `states` (N, T, D), `questions` (N, L) token ids, all of one length: transformers 5 drops the
    mask of cross-attention, so a padded question would be answered with its padding.
    """
    asked = model.text_encoder(
        input_ids=questions,
        attention_mask=torch.ones_like(questions),
        encoder_hidden_states=states,
        encoder_attention_mask=torch.ones(states.shape[:2], device=states.device),
    ).last_hidden_state
    start = questions.new_full((len(questions), 1), model.decoder_start_token_id)
    logits: torch.Tensor = model.text_decoder(
        input_ids=start,
        encoder_hidden_states=asked,
        encoder_attention_mask=torch.ones_like(questions),
    ).logits[:, 0]
    return logits
