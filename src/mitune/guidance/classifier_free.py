"""Classifier-free guidance (Ho and Salimans, 2022)."""

from typing import Literal

from pydantic import BaseModel, ConfigDict
from torch import Tensor

from mitune.diffusion.denoiser import Condition, Denoiser
from mitune.diffusion.guided import Guided, predict_pair
from mitune.diffusion.prediction import Prediction


class ClassifierFree(BaseModel):
    """eps_g = eps_u + w (eps_c - eps_u), w = `scale`, in the convention of diffusers.

    w = 1 is the conditional model, w = 0 the unconditional one. The paper's omega (eq. 6) is
    w - 1. The combination is taken on the raw outputs: it is affine at a common z_t, hence the
    same in every parametrisation. Both branches are always evaluated, at w = 1 too, because the
    mutual information is made of them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["classifier_free"] = "classifier_free"
    scale: float = 7.5

    def __call__(
        self, denoiser: Denoiser, z_t: Tensor, t: Tensor, condition: Condition, null: Condition
    ) -> Guided:
        """Guide at `z_t` (B, ...), `t` (B,), in one network call on [null; condition]."""
        conditional, unconditional = predict_pair(denoiser, z_t, t, condition, null)
        c, u = conditional, unconditional
        raw = u.raw + self.scale * (c.raw - u.raw)
        return Guided(c, u, Prediction(raw, c.kind, c.z_t, c.alpha, c.sigma))
