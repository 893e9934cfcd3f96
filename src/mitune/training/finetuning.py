"""Fine-tune an adapter on a chosen set: latents and embeddings cached, one objective, one loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd
import torch
from accelerate import Accelerator
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor, nn
from typing_extensions import Self

from mitune.backbones import AdapterRef, Backbone
from mitune.candidates import latents_of
from mitune.errors import UserError
from mitune.objectives import SFT, Objective, ObjectiveConfig, Online
from mitune.objectives.rows import Captions
from mitune.seeds import Seed
from mitune.training import adapters
from mitune.training.adapters import AdapterSettings
from mitune.training.checkpoint import Checkpoint, TrainingStep
from mitune.training.examples import GivenExamples
from mitune.training.features import Encoder, with_features
from mitune.training.loop import train
from mitune.training.optimisation import Optimisation
from mitune.training.policy import AdapterPolicy, policy_from_base, policy_from_previous
from mitune.training.rollouts import RolledExamples, RolloutSource
from mitune.training.task import Task
from mitune.training.timesteps import Timesteps, Uniform

Reward: TypeAlias = Callable[[NDArray[np.uint8], Sequence[str]], NDArray[np.float64]]


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
    seed: Seed = 0

    @model_validator(mode="after")
    def _whole_groups(self) -> Self:
        group, optimisation = self.objective.group, self.optimisation
        for name in ("batch_size", "micro_batch_size"):
            size = getattr(optimisation, name)
            if size is not None and size % group:
                raise ValueError(
                    f"optimisation.{name} {size} is no multiple of {group}, the examples that "
                    "objective never splits; change one of them"
                )
        return self


def finetune(
    backbone: Backbone,
    selection: pd.DataFrame,
    settings: Finetuning,
    previous: AdapterRef,
    accelerator: Accelerator,
    checkpoint: Checkpoint | None = None,
    reward: Reward | None = None,
    encoder: Encoder | None = None,
) -> Iterator[TrainingStep]:
    """Train an adapter on `selection`, a table that the objective's rows are read from.

    Its column `latent` and attrs `latent_shape` are those of candidates. `reward` is for an online
    objective, of whose table only the prompts count; with any other, nothing but the network is on
    the accelerator while it trains. `encoder` is for one that compares pictures, unless the table
    brings their features. When the iterator is exhausted the trained adapter is on
    `backbone`: save it with `save`.

    Raises
    ------
    UserError
        If the selection is empty or no examples of the objective can be read from it; if an online
        objective has no reward; as `check_start`.
    """
    check_start(settings, previous)
    if isinstance(settings.objective, Online):
        policy, task = _rolled(backbone, selection, settings, settings.objective, previous, reward)
    else:
        if encoder is not None:
            selection = with_features(selection, backbone, encoder)
        policy, task = _given(backbone, selection, settings, previous)
    backbone.network.train()
    trained = {"network": backbone.network, **policy.modules}
    yield from train(trained, task, settings.optimisation, accelerator, checkpoint)
    backbone.network.eval()


def _given(
    backbone: Backbone, selection: pd.DataFrame, settings: Finetuning, previous: AdapterRef
) -> tuple[AdapterPolicy, Task]:
    objective: Objective[Any, Any] = settings.objective
    examples = objective.rows.read(selection, latents_of(selection), backbone.encode_prompts)
    backbone.keep_network()
    policy = _policy(backbone, settings, previous, nn.ModuleDict())
    return policy, GivenExamples(
        objective,
        policy,
        examples,
        settings.timesteps,
        settings.optimisation.batch_size,
        settings.caption_dropout,
        settings.seed,
        backbone.device,
    )


def _rolled(
    backbone: Backbone,
    selection: pd.DataFrame,
    settings: Finetuning,
    objective: Online,
    previous: AdapterRef,
    reward: Reward | None,
) -> tuple[AdapterPolicy, Task]:
    source = _rollout_source(backbone, selection, reward)
    condition = source.captions.encoded[[0]]
    networks = adapters.seeded(
        lambda: objective.modules(backbone.latent_shape, condition), settings.seed
    )
    policy = _policy(backbone, settings, previous, nn.ModuleDict(networks).to(backbone.device))
    optimisation = settings.optimisation
    return policy, RolledExamples(
        objective,
        policy,
        source,
        settings.timesteps,
        optimisation.batch_size,
        optimisation.micro_batch_size or optimisation.batch_size,
        settings.seed,
        backbone.device,
    )


def _rollout_source(
    backbone: Backbone, selection: pd.DataFrame, reward: Reward | None
) -> RolloutSource:
    if reward is None:
        raise UserError("finetune.objective: it trains on a reward; name a metric to take it from")
    prompts = sorted(set(selection["prompt"]))

    def of_latents(latents: Tensor, texts: Sequence[str]) -> Tensor:
        return torch.from_numpy(np.asarray(reward(backbone.decode(latents), texts), np.float32))

    captions = Captions(backbone.encode_prompts([*prompts, ""]), torch.arange(len(prompts)))
    return RolloutSource(prompts, captions, backbone.latent_shape, of_latents)


def check_start(settings: Finetuning, previous: AdapterRef) -> None:
    """An adapter that is to be trained further must be of the shape that is asked for.

    Raises
    ------
    UserError
        Naming the fields that differ.
    ModelError
        If the previous adapter does not say how it was made.
    """
    if settings.start == "fresh" or previous.path is None:
        return
    there, wanted = adapters.settings_of(previous).model_dump(), settings.adapter.model_dump()
    differing = [name for name in wanted if wanted[name] != there[name]]
    if differing:
        wanted_text = ", ".join(f"{name} {wanted[name]}" for name in differing)
        there_text = ", ".join(f"{name} {there[name]}" for name in differing)
        raise UserError(
            f"finetune.adapter: {wanted_text}, but finetune.start: previous goes on with an "
            f"adapter of {there_text}; give the same, or finetune.start: fresh"
        )


def _policy(
    backbone: Backbone, settings: Finetuning, previous: AdapterRef, modules: nn.ModuleDict
) -> AdapterPolicy:
    if settings.start == "previous" and previous.path is not None:
        adapters.load(backbone, previous, trainable=True)
        if settings.objective.uses_reference:
            return policy_from_previous(backbone, previous, modules)
        # Nobody asks for the reference: its memory is saved.
    else:
        adapters.attach(backbone, settings.adapter, settings.seed)
    return policy_from_base(backbone, modules)


def save(backbone: Backbone, folder: Path, settings: Finetuning, facts: dict[str, object]) -> None:
    """Write the adapter with how it was made."""
    adapters.save(backbone, folder, {"finetuning": settings.model_dump(mode="json"), **facts})
