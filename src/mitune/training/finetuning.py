"""Fine-tune an adapter on a chosen set: latents and embeddings cached, one objective, one loop."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import torch
from accelerate import Accelerator
from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt
from torch import Tensor

from mitune.backbones import AdapterRef, Backbone
from mitune.candidates import latents_of
from mitune.diffusion.denoiser import Condition
from mitune.errors import UserError
from mitune.objectives import SFT, ObjectiveConfig, Single
from mitune.seeds import image_seed
from mitune.training import adapters
from mitune.training.adapters import AdapterSettings
from mitune.training.loop import Checkpoint, Loss, Optimisation, TrainingStep, fit
from mitune.training.timesteps import Timesteps, Uniform


class Finetuning(BaseModel):
    """How an adapter is trained. Defaults: the MI-TUNE paper (Table 8).

    `timesteps`: the density training timesteps are drawn from. `start`: a fresh adapter each round
    (`fresh`, as the released code does) or the one before (`previous`, as the paper words it).
    `dtype` is that of the frozen weights; the adapter is trained in float32.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    objective: ObjectiveConfig = SFT()
    adapter: AdapterSettings = AdapterSettings()
    optimisation: Optimisation = Optimisation()
    timesteps: Timesteps = Uniform()
    start: Literal["fresh", "previous"] = "previous"
    caption_dropout: float = Field(default=0.0, ge=0, le=1)
    dtype: Literal["float32", "bfloat16"] = "float32"
    seed: NonNegativeInt = 0


def finetune(
    backbone: Backbone,
    selection: pd.DataFrame,
    settings: Finetuning,
    previous: AdapterRef,
    accelerator: Accelerator,
    checkpoint: Checkpoint | None = None,
) -> Iterator[TrainingStep]:
    """Train an adapter on `selection` (columns latent, prompt; attrs latent_shape).

    An optional column `weight` weights the rows. While it trains nothing but the network is on the
    accelerator. When the iterator is exhausted the trained
    adapter is on `backbone`: save it with `adapters.save`.

    Raises
    ------
    ValueError
        If the selection is empty or holds latents that are not finite.
    """
    latents, weights = _checked(selection)
    prompts = sorted(set(selection["prompt"]))
    # The last row is the empty prompt, for caption dropout.
    encoded = backbone.encode_prompts([*prompts, ""])
    backbone.keep_network()
    rows_of = torch.tensor([prompts.index(p) for p in selection["prompt"]])
    if settings.start == "previous" and previous.path is not None:
        adapters.load(backbone, previous, trainable=True)
    else:
        adapters.attach(backbone, settings.adapter, settings.seed)
    backbone.network.train()
    loss = _loss(backbone, settings, latents, weights, encoded, rows_of)
    modules = {"network": backbone.network}
    yield from fit(modules, loss, settings.optimisation, accelerator, checkpoint)
    backbone.network.eval()


def _checked(selection: pd.DataFrame) -> tuple[Tensor, Tensor]:
    if selection.empty:
        raise UserError("the fine-tuning set is empty; check compose and the candidates' scores")
    latents = latents_of(selection)
    finite = latents.flatten(1).isfinite().all(1)
    if not finite.all():
        row = selection.iloc[int((~finite).nonzero()[0])]
        raise UserError(
            f"the latent of prompt {row['prompt']!r}, image {row['image_index']}, is not finite; "
            "delete its shard and rerun generate"
        )
    weights = selection["weight"] if "weight" in selection else np.ones(len(selection))
    return latents, torch.tensor(np.asarray(weights), dtype=torch.float32)


def _loss(
    backbone: Backbone,
    settings: Finetuning,
    latents: Tensor,
    weights: Tensor,
    encoded: Condition,
    rows_of: Tensor,
) -> Loss:
    size = settings.optimisation.batch_size
    device = backbone.device
    empty = len(encoded) - 1

    def loss(step: int, rows: Tensor) -> Tensor:
        generator = torch.Generator().manual_seed(image_seed("finetune", settings.seed, step))
        picks = _epoch_order(step, size, len(latents), settings.seed)
        times = settings.timesteps.draw(size, generator)
        noise = torch.randn((size, *latents.shape[1:]), generator=generator)
        dropped = torch.rand(size, generator=generator) < settings.caption_dropout
        texts = torch.where(dropped, empty, rows_of[picks])
        chosen = picks[rows]
        batch = Single(
            latents[chosen].to(device),
            encoded[texts[rows].to(device)],
            weights[chosen].to(device),
        )
        return settings.objective.loss(
            backbone.denoiser, batch, times[rows].to(device), noise[rows].to(device)
        )

    return loss


def _epoch_order(step: int, size: int, total: int, seed: int) -> Tensor:
    """Row indices of a step: every epoch is a fresh permutation, whatever the batch size."""
    first, last = step * size, (step + 1) * size
    epochs = range(first // total, (last - 1) // total + 1)
    order = torch.cat(
        [
            torch.randperm(
                total, generator=torch.Generator().manual_seed(image_seed("epoch", seed, epoch))
            )
            for epoch in epochs
        ]
    )
    offset = first - epochs[0] * total
    return order[offset : offset + size]


def save(backbone: Backbone, folder: Path, settings: Finetuning, facts: dict[str, object]) -> None:
    """Write the adapter with how it was made."""
    adapters.save(backbone, folder, {"finetuning": settings.model_dump(mode="json"), **facts})
