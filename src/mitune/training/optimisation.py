"""How far and how fast to train: settings alone."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveFloat, PositiveInt


class Optimisation(BaseModel):
    """AdamW with a schedule. Defaults are the settings of the MI-TUNE paper (Table 8).

    `muon_learning_rate` hands the matrices of the numbered layers to Muon (Jordan et al. 2024),
    with updates of AdamW's size (Liu et al. 2025); all else stays with AdamW.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    steps: PositiveInt = 300
    batch_size: PositiveInt = 400
    micro_batch_size: PositiveInt | None = Field(default=None, exclude=True)  # memory only
    learning_rate: PositiveFloat = 1e-4
    muon_learning_rate: PositiveFloat | None = None
    schedule: Literal["constant", "constant_with_warmup", "cosine"] = "constant"
    warmup_steps: NonNegativeInt = 0
    betas: tuple[float, float] = (0.9, 0.999)
    epsilon: PositiveFloat = 1e-8
    weight_decay: float = Field(default=1e-2, ge=0)
    max_grad_norm: PositiveFloat = 1.0
