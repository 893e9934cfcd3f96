"""Guided sampling and forward noising as streams: the caller folds what it needs.

`sample` follows a diffusers scheduler from noise to image; `renoise` takes a finished image back
to chosen noise levels. Both evaluate the two unguided branches in one call per step.
"""

import copy
import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

import torch
from torch import Tensor

from mitune import libraries
from mitune.diffusion.denoiser import Condition, Denoiser
from mitune.diffusion.guided import Guided, Guiding, predict_pair
from mitune.diffusion.noise import add_noise
from mitune.diffusion.prediction import Prediction, PredictionKind
from mitune.errors import UserError

_CHECK_EVERY = 8  # an isfinite check waits for the accelerator


class Scheduler(Protocol):
    """The part of a diffusers scheduler that all of them have."""

    timesteps: Tensor
    config: Any
    set_timesteps: Callable[..., Any]
    step: Callable[..., Any]


@dataclass(frozen=True, eq=False)
class Step:
    """One step of a sampler: at timestep `t`, from what guided it to `z_next`.

    `guided.z_t` (B, ...), the network's input, is in the variance-preserving (or flow) space of the
    path. `z_next` is the scheduler's own state, which differs from it only for schedulers that
    rescale their input (Euler); the last one is the clean latent for all.
    """

    index: int
    t: float
    guided: Guided
    z_next: Tensor


@dataclass(frozen=True, eq=False)
class Draw:
    """A clean latent noised to timestep `t` with `noise`, and both branches at that `z_t`."""

    t: Tensor
    noise: Tensor
    z_t: Tensor
    conditional: Prediction
    unconditional: Prediction


def initial_noise(shape: Sequence[int], generators: Sequence[torch.Generator]) -> Tensor:
    """Standard normal noise (B, *shape), row i from generator i alone, on the generators' device.

    So an image depends on its own seed, not on its neighbours in the batch.
    """
    return torch.stack([torch.randn(*shape, generator=g, device=g.device) for g in generators])


@torch.no_grad()
def sample(
    guiding: Guiding,
    scheduler: Scheduler,
    noise: Tensor,
    generators: Sequence[torch.Generator] | None = None,
) -> Iterator[Step]:
    """Follow `scheduler` for `guiding.steps` from unit-variance `noise` (B, ...); yield each step.

    `generators`, one per image, feed a stochastic scheduler. The scheduler is copied, so streams
    may interleave; a prediction is converted to the kind that the scheduler is configured for.
    Where a guide moved the latent, the scheduler goes on from there. No gradients are recorded: a
    guide that needs them enables them itself.

    Raises ValueError if a stochastic scheduler gets no generators, if their number is not B, or
    as soon as the guided latent is found to be non-finite (looked at every 8 steps and at the end).
    """
    if generators is not None and len(generators) != len(noise):
        raise ValueError(f"generators: got {len(generators)} for a batch of {len(noise)}")
    if generators is None and not _is_deterministic(scheduler):
        raise ValueError(
            f"generators: {type(scheduler).__name__} draws noise in every step; "
            "pass one torch.Generator per image"
        )
    scheduler = copy.deepcopy(scheduler)
    scheduler.set_timesteps(guiding.steps)
    kind = _kind_of(scheduler)
    accepts_generator = "generator" in inspect.signature(scheduler.step).parameters
    extra = {"generator": list(generators)} if accepts_generator and generators else {}
    scale_input = _input_scaling(scheduler)

    latent = noise * _initial_scale(scheduler)
    device_times = scheduler.timesteps.to(noise.device)
    last = len(device_times) - 1
    for index, t in enumerate(scheduler.timesteps):
        z_t = scale_input(latent, t)
        times = device_times[index].expand(len(z_t))
        guided = guiding(index, z_t, times)
        # The input is the state rescaled by one number, so the state moves by that much more.
        latent = latent + (guided.z_t - z_t) / scale_input(torch.ones_like(latent[:1]), t)
        output = guided.guided.to_kind(kind).raw.to(latent.dtype)
        latent = scheduler.step(output, t, latent, **extra, return_dict=False)[0]
        if index == last or index % _CHECK_EVERY == _CHECK_EVERY - 1:
            _check_finite(latent, index)
        yield Step(index, float(t), guided, latent)


@torch.no_grad()
def renoise(
    denoiser: Denoiser,
    z0: Tensor,
    condition: Condition,
    null: Condition,
    times: Iterable[Tensor],
    noises: Iterable[Tensor],
) -> Iterator[Draw]:
    """Noise finished latents `z0` (B, ...) to each timestep and evaluate both branches there.

    `times` are 0-d timesteps (a (K,) tensor is one such iterable); a noise has the shape of `z0`,
    or that of one latent, which the whole batch then shares. The branches see identical noise.
    """
    for t, given in zip(times, noises, strict=True):
        noise = given.to(z0).expand_as(z0)
        batch_t = t.to(z0.device).expand(len(z0))
        z_t = add_noise(denoiser.path, z0, noise, batch_t)
        yield Draw(t, noise, z_t, *predict_pair(denoiser, z_t, batch_t, condition, null))


def _kind_of(scheduler: Scheduler) -> PredictionKind:
    if isinstance(scheduler, libraries.diffusers.FlowMatchEulerDiscreteScheduler):
        return "flow"
    kind = scheduler.config.prediction_type
    return "flow" if kind == "flow_prediction" else kind


def _is_deterministic(scheduler: Scheduler) -> bool:
    if isinstance(scheduler, libraries.diffusers.FlowMatchEulerDiscreteScheduler):
        return not scheduler.config.stochastic_sampling
    if isinstance(scheduler, libraries.diffusers.DPMSolverMultistepScheduler):
        return not scheduler.config.algorithm_type.startswith("sde")
    without_noise = libraries.diffusers.DDIMScheduler | libraries.diffusers.EulerDiscreteScheduler
    if isinstance(scheduler, without_noise):
        return True  # both accept a generator, and use it only for an eta or churn we never pass
    return "generator" not in inspect.signature(scheduler.step).parameters


def _input_scaling(scheduler: Scheduler) -> Callable[[Tensor, Tensor], Tensor]:
    if isinstance(scheduler, libraries.diffusers.FlowMatchEulerDiscreteScheduler):
        return lambda latent, t: latent
    return scheduler.scale_model_input  # type: ignore[attr-defined]


def _initial_scale(scheduler: Scheduler) -> float | Tensor:
    if isinstance(scheduler, libraries.diffusers.FlowMatchEulerDiscreteScheduler):
        return 1.0
    return scheduler.init_noise_sigma  # type: ignore[attr-defined]


def _check_finite(latent: Tensor, index: int) -> None:
    if not bool(latent.isfinite().all()):
        raise UserError(
            f"the guided latent is non-finite at step {index}: lower guidance.scale, "
            "or run the backbone in float32 instead of float16"
        )


SamplerName: TypeAlias = Literal["ddpm", "ddim", "dpm_solver", "euler", "flow_euler"]
_SAMPLERS = {
    "ddpm": "DDPMScheduler",
    "ddim": "DDIMScheduler",
    "dpm_solver": "DPMSolverMultistepScheduler",
    "euler": "EulerDiscreteScheduler",
    "flow_euler": "FlowMatchEulerDiscreteScheduler",
}


def build_scheduler(name: SamplerName, trained: Scheduler) -> Scheduler:
    """The named diffusers scheduler on the grid of a checkpoint's own.

    Latents are not bounded by 1, so the predicted x0 is never clipped, whatever the class defaults.

    Raises
    ------
    UserError
        For a sampler of flows on a DDPM checkpoint, or the reverse.
    """
    flow = isinstance(trained, libraries.diffusers.FlowMatchEulerDiscreteScheduler)
    if flow != (name == "flow_euler"):
        fitting = "flow_euler" if flow else ", ".join(n for n in _SAMPLERS if n != "flow_euler")
        raise UserError(
            f"sampler: {name!r} does not fit a model with {type(trained).__name__}; use {fitting}"
        )
    config = dict(trained.config) if flow else {**trained.config, "clip_sample": False}
    scheduler: Scheduler = getattr(libraries.diffusers, _SAMPLERS[name]).from_config(config)
    return scheduler
