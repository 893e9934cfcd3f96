"""How far and how fast to train: settings alone."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveFloat, PositiveInt

Beta: TypeAlias = Annotated[float, Field(ge=0, lt=1)]


class Optimisation(BaseModel):
    """AdamW with a schedule. Defaults are the settings of the MI-TUNE paper (Table 8).

    `muon_learning_rate` hands the matrices of the numbered layers to Muon (Jordan et al. 2024),
    with updates of AdamW's size (Liu et al. 2025); all else stays with AdamW.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    steps: PositiveInt = 300
    batch_size: int = Field(default=400, ge=1, le=1_000_000)  # whose draws are held together
    micro_batch_size: PositiveInt | None = Field(default=None, exclude=True)  # memory only
    learning_rate: PositiveFloat = 1e-4
    muon_learning_rate: PositiveFloat | None = None
    schedule: Literal["constant", "constant_with_warmup", "cosine"] = "constant"
    warmup_steps: NonNegativeInt = 0
    betas: tuple[Beta, Beta] = (0.9, 0.999)
    epsilon: PositiveFloat = 1e-8
    weight_decay: float = Field(default=1e-2, ge=0)
    max_grad_norm: PositiveFloat = Field(default=1.0, allow_inf_nan=True)  # .inf: none is cut
