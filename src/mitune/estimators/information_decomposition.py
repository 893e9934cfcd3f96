"""log p(x|c) / p(x) of one image, from the errors of its denoising.

arXiv:2310.07972.
"""

from typing import Literal

from torch import Tensor

from mitune.diffusion.sampling import Draw
from mitune.estimators.differences import dot, eps_of
from mitune.estimators.renoising import Renoised


class InformationDecomposition(Renoised):
    """log p(x|c) / p(x) = 1/2 int E[ ||eps - eps_u||^2 - ||eps - eps_c||^2 ] dlambda.

    Kong et al. (2024). Exact for an ideal denoiser over all log-SNR; a window makes it a part.
    """

    kind: Literal["information"] = "information"

    def increment(self, draw: Draw, weight: float | Tensor) -> Tensor:
        """One draw's w (||D||^2 + 2 (eps - eps_c) . D), D = eps_c - eps_u, (B,) nats.

        The expanded form: the two squares agree in most of their digits.
        """
        eps_c, eps_u = eps_of(draw.conditional), eps_of(draw.unconditional)
        difference = eps_c - eps_u
        return weight * dot(difference + 2 * (draw.noise - eps_c), difference)
