"""Everything that decides the shipped weights: sizes, steps, rates, seeds."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, PositiveInt

from mitune.miniature.caption import CaptionNoise
from mitune.training.optimisation import Optimisation


class PretrainRecipe(BaseModel):
    """Everything that decides the shipped weights."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int = 0
    vae: Optimisation = Optimisation(
        steps=2000, batch_size=32, learning_rate=1e-3, schedule="cosine", warmup_steps=50
    )
    vae_refinement: Optimisation = Optimisation(
        steps=1200, batch_size=32, learning_rate=5e-4, schedule="cosine", warmup_steps=20
    )
    clip: Optimisation = Optimisation(
        steps=600, batch_size=128, learning_rate=1e-3, schedule="cosine", warmup_steps=100
    )
    judge: Optimisation = Optimisation(
        steps=900, batch_size=96, learning_rate=2e-3, schedule="cosine", warmup_steps=100
    )
    judge_refinement: Optimisation = Optimisation(
        steps=1300, batch_size=96, learning_rate=1.5e-3, schedule="cosine", warmup_steps=50
    )
    judge_contacts: Optimisation = Optimisation(
        steps=800, batch_size=96, learning_rate=1e-3, schedule="cosine", warmup_steps=20
    )
    denoiser: Optimisation = Optimisation(
        steps=10_000, batch_size=64, learning_rate=1e-3, schedule="cosine", warmup_steps=300
    )
    denoiser_refinement: Optimisation = Optimisation(
        steps=15_000, batch_size=64, learning_rate=8e-4, schedule="cosine", warmup_steps=100
    )
    flow: Optimisation = Optimisation(
        steps=11_000,
        batch_size=64,
        learning_rate=2e-3,
        muon_learning_rate=6e-3,
        schedule="cosine",
        warmup_steps=100,
    )
    vqa: Optimisation = Optimisation(
        steps=5000,
        batch_size=32,
        learning_rate=1e-3,
        muon_learning_rate=3e-3,
        schedule="cosine",
        warmup_steps=100,
    )
    compile_flow: bool = Field(default=False, exclude=True)  # speed only; needs a C++ compiler
    scenes: PositiveInt = 60_000
    judge_scenes: PositiveInt = 16_384
    empty_captions: float = Field(default=0.1, ge=0, le=1)
    min_snr_gamma: float = 5.0
    ema_decay: float = 0.999
    caption_noise: CaptionNoise = CaptionNoise()
    kl_weight: float = 1e-6
    card_prompts: PositiveInt = 16
    card_steps: PositiveInt = 20
    audited: PositiveInt = 200  # pictures a category and questions a kind, of the cards' audits
