"""The estimate that sampling gives for free: MI-TUNE, Alg. 2, and RFMI on the path.

arXiv:2405.20759, arXiv:2503.14358.
"""

from collections.abc import Iterable
from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor

from mitune.diffusion.noise import DiscretePath, NoisePath, RectifiedFlowPath
from mitune.diffusion.sampling import Step
from mitune.estimators.differences import dot, eps_of, flow_of
from mitune.estimators.information import Information

_RELEASED_FIRST_T = 51  # the released code keeps t > 50
_RELEASED_LEAST_SIGMA = 0.05  # and on flows s > 0.05


class PathScore(BaseModel):
    """MI-TUNE, Alg. 2: sum_t w_t ||eps_c(z_t) - eps_u(z_t)||^2 along the sampler's own path.

    Free, since both branches are at hand. Under guidance (scale != 1) the path does not follow
    p(z_t | c) and the number is a score, no estimate of a KL. Weights:

    - `quadrature` (default): half the log-SNR step of the actual grid; nats on any path.
    - `paper`: on a DDPM grid kappa_t = beta_t T / (2 alpha_t (1 - abar_t)), alpha_t = 1 - beta_t,
      averaged over the grid (eq. 2); on a flow t / (1 - t) dt (RFMI, eq. 12), by the
      trapezoid rule over the sampler's own grid down to s = 0, shifted or not.
    - `released`: the authors' code. DDPM: no alpha_t (<= 1.2 % apart), only t > 50, averaged over
      the kept steps; sharp conditionals lose up to half their information. Departure: v-predictions
      are converted to eps first. Flow: only 0.05 < s < 1, averaged over a grid that is dense near
      noise, which is no integral.

    Forms, of which the last two are defined on a rectified flow alone (v: its velocities):

    - `squared` (default): ||eps_c - eps_u||^2, the only one that is a KL for each prompt.
    - `inner`: (1 - s)^2 v_c . (v_c - v_u), RFMI eq. 12. Right on average over prompts, not for
      each: it misses E[v_u . (v_c - v_u)], and may be negative.
    - `inner_guided`: the same with the guided velocity for v_c, as the authors' code has it.

    `window` drops the steps outside [low, high] of log-SNR, without renormalising the rest.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["path"] = "path"
    weights: Literal["paper", "released", "quadrature"] = "quadrature"
    form: Literal["squared", "inner", "inner_guided"] = "squared"
    window: tuple[float, float] | None = None

    @property
    def evaluations_per_image(self) -> int:
        """Network evaluations on top of sampling."""
        return 0

    def weights_for(self, path: NoisePath, times: Tensor) -> Tensor:
        """One weight per sampler timestep, (n,) float64 on the CPU, for `times` (n,) descending.

        Raises ValueError for a form or published weights that the path does not have, or a grid
        that they or the window leave empty: every score would be 0.
        """
        times = times.to("cpu", torch.float64)
        if self.form != "squared" and not isinstance(path, RectifiedFlowPath):
            raise ValueError(
                f"form: {self.form!r} is made of the velocities of a rectified flow; "
                f"use 'squared' on a {type(path).__name__}"
            )
        if self.weights == "quadrature":
            weights = path.information_weights(times)
        elif isinstance(path, DiscretePath):
            weights = self._published(path, times)
        elif isinstance(path, RectifiedFlowPath):
            weights = self._published_flow(path, times)
        else:
            raise ValueError(
                f"weights: {self.weights!r} is defined on a DDPM grid or a rectified flow; "
                f"use 'quadrature' on a {type(path).__name__}"
            )
        return weights if self.window is None else weights * _inside(path, times, self.window)

    def _published(self, path: DiscretePath, times: Tensor) -> Tensor:
        t = times.round().long()
        beta, alpha_bar = path.betas[t], path.alphas_cumprod[t]
        kappa = beta * path.num_train_timesteps / (2 * (1 - alpha_bar))
        if self.weights == "paper":
            return kappa / (1 - beta) / len(t)
        kept = t >= _RELEASED_FIRST_T
        if not bool(kept.any()):
            raise ValueError("weights: 'released' keeps t > 50, and the sampler has no such step")
        return kappa * kept / kept.sum()

    def _published_flow(self, path: RectifiedFlowPath, times: Tensor) -> Tensor:
        """Published is (1 - s) / s on v . dv; ours is what multiplies (1 - s)^2 v . dv."""
        s = path.sigma(times)
        released = self.weights == "released"
        kept = (s > (_RELEASED_LEAST_SIGMA if released else 0)) & (s < 1)
        if not bool(kept.any()):
            raise ValueError(f"weights: {self.weights!r} leaves no step of this grid")
        if released:
            return torch.where(kept, 1 / (s * (1 - s)), 0.0) / kept.sum()
        steps = (s.diff(append=s.new_zeros(1)) + s.diff(prepend=s[:1])).abs() / 2
        return torch.where(kept, steps / (s * (1 - s)), 0.0)

    def increment(self, step: Step, weight: float | Tensor) -> Tensor:
        """One step's w_t ||eps_c - eps_u||^2, or another form, (B,) nats."""
        conditional, unconditional = step.guided.conditional, step.guided.unconditional
        if self.form == "squared":
            difference = eps_of(conditional) - eps_of(unconditional)
            return weight * dot(difference, difference)
        chosen = step.guided.guided if self.form == "inner_guided" else conditional
        v, v_u = chosen.alpha * flow_of(chosen), chosen.alpha * flow_of(unconditional)
        return weight * dot(v, v - v_u)

    def fold(self, path: NoisePath, steps: Iterable[Step]) -> Information:
        """The whole stream of `sample`, (B, n); use `weights_for` and `increment` inside a loop."""
        times, squares = zip(*((s.t, self.increment(s, 1.0)) for s in steps), strict=True)
        grid = torch.tensor(times, dtype=torch.float64)
        stacked = torch.stack(squares, dim=1)
        return Information(stacked * self.weights_for(path, grid).to(stacked), path.log_snr(grid))


def _inside(path: NoisePath, times: Tensor, window: tuple[float, float]) -> Tensor:
    log_snr = path.log_snr(times)
    inside = (log_snr >= window[0]) & (log_snr <= window[1])
    if not bool(inside.any()):
        low, high = float(log_snr.min()), float(log_snr.max())
        raise ValueError(
            f"window: {list(window)} has no step of the sampler, whose log-SNR goes from {low:.2f} "
            f"to {high:.2f}; widen it, or take more steps"
        )
    return inside
