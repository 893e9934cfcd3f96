"""Point-wise mutual information between an image and its prompt, in nats.

Every estimator is a weighted sum over noise levels of one number per image and level,

    KL(p_c || p) = 1/2 int E ||eps_c - eps_u||^2 dlambda          (I-MMSE; lambda = log SNR)

and returns the terms, not only the sum, so that windows, weights and pruning can be replayed.
`PathScore` reads them off the sampler's own trajectory at no extra evaluation; `ForwardScore` and
`InformationDecomposition` noise the finished image anew. Only the last one is log p(x|c) / p(x).
All differences are between UNGUIDED predictions, in at least float32, summed over the latent.
"""

from collections.abc import Iterable, Sequence
from typing import Annotated, Literal, TypeAlias

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from mitune.diffusion.denoiser import Condition, Denoiser
from mitune.diffusion.noise import DiscretePath, NoisePath, RectifiedFlowPath
from mitune.diffusion.prediction import Prediction
from mitune.diffusion.sampling import Draw, Step, renoise
from mitune.information import Information
from mitune.renoising import Renoised

__all__ = [
    "DrawEstimator",
    "Estimator",
    "ForwardScore",
    "Information",
    "InformationDecomposition",
    "PathScore",
    "information",
]

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
        that they leave empty.
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
            difference = _eps(conditional) - _eps(unconditional)
            return weight * _dot(difference, difference)
        chosen = step.guided.guided if self.form == "inner_guided" else conditional
        v, v_u = chosen.alpha * _flow(chosen), chosen.alpha * _flow(unconditional)
        return weight * _dot(v, v - v_u)

    def fold(self, path: NoisePath, steps: Iterable[Step]) -> Information:
        """The whole stream of `sample`, (B, n); use `weights_for` and `increment` inside a loop."""
        times, squares = zip(*((s.t, self.increment(s, 1.0)) for s in steps), strict=True)
        grid = torch.tensor(times, dtype=torch.float64)
        stacked = torch.stack(squares, dim=1)
        return Information(stacked * self.weights_for(path, grid).to(stacked), path.log_snr(grid))


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
            v, v_u = alpha * _flow(draw.conditional), alpha * _flow(draw.unconditional)
            return weight * _dot(v, v - v_u)
        difference = _eps(draw.conditional) - _eps(draw.unconditional)
        return weight * _dot(difference, difference)


class InformationDecomposition(Renoised):
    """log p(x|c) / p(x) = 1/2 int E[ ||eps - eps_u||^2 - ||eps - eps_c||^2 ] dlambda.

    Kong et al. (2024). Exact for an ideal denoiser over all log-SNR; a window makes it a part.
    """

    kind: Literal["information"] = "information"

    def increment(self, draw: Draw, weight: float | Tensor) -> Tensor:
        """One draw's w (||D||^2 + 2 (eps - eps_c) . D), D = eps_c - eps_u, (B,) nats.

        The expanded form: the two squares agree in most of their digits.
        """
        eps_c, eps_u = _eps(draw.conditional), _eps(draw.unconditional)
        difference = eps_c - eps_u
        return weight * _dot(difference + 2 * (draw.noise - eps_c), difference)


DrawEstimator: TypeAlias = ForwardScore | InformationDecomposition
Estimator: TypeAlias = Annotated[
    PathScore | ForwardScore | InformationDecomposition, Field(discriminator="kind")
]


@torch.no_grad()
def information(
    denoiser: Denoiser,
    z0: Tensor,
    condition: Condition,
    null: Condition,
    estimators: Sequence[DrawEstimator],
    generator: torch.Generator,
) -> tuple[Information, ...]:
    """Score finished latents `z0` (B, ...) with each estimator, all from the same draws.

    Noise levels and noises come from the one `generator` and are shared by the batch: seeded from
    the prompt, all its candidates meet the same noise, whatever the batch size. Comparing
    estimators costs nothing.

    Raises ValueError if the estimators do not agree on where they noise.
    """
    if len({e.shared for e in estimators}) != 1:
        raise ValueError("estimators: need the same draws, log_snr and antithetic to share draws")
    plan = estimators[0]
    per_stratum = plan.draws // plan.strata
    log_snr, weights = plan.plan(denoiser.path, generator)
    times = denoiser.path.timesteps_at(log_snr)
    noises = plan.noises(z0.shape[1:], generator)
    stream = renoise(denoiser, z0, condition, null, times.repeat_interleave(per_stratum), noises)
    shares = (weights / per_stratum).repeat_interleave(per_stratum).tolist()
    rows = [
        [e.increment(draw, share) for e in estimators]
        for draw, share in zip(stream, shares, strict=True)
    ]
    met = denoiser.path.log_snr(times.to(torch.float64))
    return tuple(
        Information(torch.stack(column, dim=1).view(len(z0), -1, per_stratum).sum(-1), met, True)
        for column in zip(*rows, strict=True)
    )


def _eps(prediction: Prediction) -> Tensor:
    eps = prediction.eps
    return eps.to(torch.promote_types(eps.dtype, torch.float32))


def _flow(prediction: Prediction) -> Tensor:
    flow = prediction.flow
    return flow.to(torch.promote_types(flow.dtype, torch.float32))


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).flatten(1).sum(dim=1)


def _inside(path: NoisePath, times: Tensor, window: tuple[float, float]) -> Tensor:
    log_snr = path.log_snr(times)
    return (log_snr >= window[0]) & (log_snr <= window[1])
