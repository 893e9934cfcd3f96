"""The noise schedule of a model, by itself: no weights are read."""

from __future__ import annotations

from typing import Any

from mitune import libraries
from mitune.backbones.base import ModelError
from mitune.backbones.model_index import model_index
from mitune.diffusion.noise import DiscretePath, NoisePath, RectifiedFlowPath
from mitune.references import ModelRef


def trained_scheduler(ref: ModelRef) -> Any:
    """The scheduler that a model was saved with, of diffusers.

    Raises
    ------
    ModelError
        If it is missing, broken or of no kind that diffusers knows.
    """
    _, kind = model_index(ref).get("scheduler") or (None, None)
    try:
        return getattr(libraries.diffusers, str(kind)).from_pretrained(
            ref.path, subfolder="scheduler", revision=ref.revision
        )
    except Exception as error:  # whatever broke, say where
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ModelError(
            f"{ref.path}/scheduler: cannot be read ({reason}); restore or download the folder again"
        ) from None


def noise_path(scheduler: Any) -> NoisePath:
    """The path that a model with this scheduler was trained on."""
    if hasattr(scheduler, "alphas_cumprod"):
        return DiscretePath(scheduler.alphas_cumprod.double())
    return RectifiedFlowPath(scheduler.config.num_train_timesteps)
