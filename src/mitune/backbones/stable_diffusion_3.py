"""Stable Diffusion 3 and 3.5 (Esser et al. 2024): MMDiT, rectified flow, three text encoders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mitune.backbones.pipeline import PipelineBackbone
from mitune.diffusion.denoiser import Condition, in_dtype_of
from mitune.diffusion.noise import RectifiedFlowPath, coefficients
from mitune.diffusion.prediction import Prediction


@dataclass(frozen=True, eq=False)
class FlowTransformerDenoiser:
    """`Condition`: `prompt` (B, L, D), `pooled` (B, P). Predicts eps - x0."""

    transformer: nn.Module
    path: RectifiedFlowPath

    def predict(self, z_t: Tensor, t: Tensor, condition: Condition) -> Prediction:
        """One evaluation at `z_t` (B, C, h, w), `t` (B,) in [0, T]."""
        raw = self.transformer(
            in_dtype_of(self.transformer, z_t),
            timestep=t,
            encoder_hidden_states=condition.tensors["prompt"],
            pooled_projections=condition.tensors["pooled"],
        ).sample
        return Prediction(raw.to(z_t), "flow", z_t, *coefficients(self.path, t, z_t))


class StableDiffusion3(PipelineBackbone):
    """Backbone around a `StableDiffusion3Pipeline`.

    It may be without T5, whose tokens are then zeros, as in diffusers; not without a CLIP encoder.
    The shift of the schedule is the sampler's: it chooses among times, not what they mean.
    """

    pipeline_type = "StableDiffusion3Pipeline"
    network_name = "transformer"
    needed = ("text_encoder", "text_encoder_2")
    last_layers = ("norm_out", "proj_out")

    @property
    def denoiser(self) -> FlowTransformerDenoiser:
        """The transformer as estimators and samplers see it."""
        steps = self.pipeline.scheduler.config.num_train_timesteps
        return FlowTransformerDenoiser(self.pipeline.transformer, RectifiedFlowPath(steps))

    @torch.no_grad()
    def encode_prompts(self, prompts: Sequence[str]) -> Condition:
        """Tokens of the encoders side by side, and the pooled ones of both CLIPs."""
        limit = self.ref.max_sequence_length
        embeddings, _, pooled, _ = self.pipeline.encode_prompt(
            list(prompts),
            None,
            None,
            device=self.device,
            do_classifier_free_guidance=False,
            **({} if limit is None else {"max_sequence_length": limit}),
        )
        return Condition({"prompt": embeddings, "pooled": pooled})
