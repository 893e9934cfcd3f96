"""The shipped miniature of Stable Diffusion 3, in plain diffusers."""

import numpy as np
import pytest
import torch
from diffusers import DiffusionPipeline

from mitune.miniature.judge import Judge
from mitune.miniature.prompts import draw_prompts
from tests.conftest import SHIPPED


@pytest.mark.slow
def test_it_paints_what_is_asked() -> None:
    """Of pictures with two of eight colours and shapes, chance would get next to none right."""
    pipeline = DiffusionPipeline.from_pretrained(
        SHIPPED / "miniature-sd3", torch_dtype=torch.float32, text_encoder_3=None, tokenizer_3=None
    )
    pipeline.set_progress_bar_config(disable=True)
    prompts = [p for category in ("color", "shape") for p in draw_prompts(category, "tuning")[:12]]
    images = pipeline(
        prompts,
        num_inference_steps=20,
        guidance_scale=3.0,
        max_sequence_length=0,
        generator=torch.Generator().manual_seed(0),
        output_type="np",
    ).images
    judge = Judge.load(SHIPPED / "miniature-judge" / "judge.safetensors")
    pictures = (images * 255).round().astype(np.uint8)
    assert np.mean([found.score for found in judge(pictures, prompts)]) > 0.3
