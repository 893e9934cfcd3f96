"""One cycle of the learning rate: resumed if interrupted, loaded if finished."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

from accelerate import Accelerator
from safetensors.torch import load_model, save_model
from torch import nn

from mitune.pretraining.recipe import PretrainRecipe
from mitune.training.checkpoint import Checkpoint, TrainingStep
from mitune.training.loop import fit
from mitune.training.optimisation import Optimisation
from mitune.training.task import Loss


def checkpoint_of(recipe: PretrainRecipe, stage: str, folder: Path) -> Checkpoint:
    """Where the state of a stage is kept; another recipe does not resume it."""
    key = hashlib.sha256(f"{stage}{recipe.model_dump_json()}".encode()).hexdigest()
    return Checkpoint(folder / f"{stage}.checkpoint.pt", key)


def cycle(
    recipe: PretrainRecipe,
    module: nn.Module,
    make_loss: Callable[[], Loss],
    stage: str,
    settings: Optimisation,
    folder: Path,
    accelerator: Accelerator,
    ema_decay: float | None = None,
) -> Iterator[TrainingStep]:
    """One cycle of the learning rate, kept in `folder/{stage}.safetensors`; loaded if it is."""
    finished = folder / f"{stage}.safetensors"
    if not finished.exists():
        checkpoint = checkpoint_of(recipe, stage, folder)
        yield from fit({stage: module}, make_loss(), settings, accelerator, checkpoint, ema_decay)
        if accelerator.is_main_process:
            save_model(module, str(finished))
        accelerator.wait_for_everyone()
    load_model(module, finished)
