"""MI-TUNE, eq. 2 as written: a finished image, noised anew."""

from typing import Literal

from torch import Tensor

from mitune.diffusion.sampling import Draw
from mitune.estimators.differences import dot, eps_of, flow_of
from mitune.estimators.renoising import Renoised


class ForwardScore(Renoised):
    """MI-TUNE eq. 2 as written: 1/2 int E ||eps_c - eps_u||^2 dlambda on the noised image.

    Departure: noise levels are drawn over log-SNR, whose measure 1/2 dlambda is the continuous
    form of the paper's kappa_t dt / T. Averages to the KL over x ~ p(x | c), not per image.

    `form: inner` is eq. 12 of RFMI on the noised image (see `PathScore`); with `levels: rfmi` it
    is the estimator of that paper.
    """

    kind: Literal["forward"] = "forward"
    form: Literal["squared", "inner"] = "squared"

    def increment(self, draw: Draw, weight: float | Tensor) -> Tensor:
        """One draw's w ||eps_c - eps_u||^2, or the other form, (B,) nats."""
        if self.form == "inner":
            alpha = draw.conditional.alpha
            v, v_u = alpha * flow_of(draw.conditional), alpha * flow_of(draw.unconditional)
            return weight * dot(v, v - v_u)
        difference = eps_of(draw.conditional) - eps_of(draw.unconditional)
        return weight * dot(difference, difference)
