"""Work that trains an adapter: by one process, or by several that share each batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd
import torch
from accelerate import Accelerator

from mitune.backbones import AdapterRef, ModelRef, open_backbone
from mitune.jobs import Rank, Worker
from mitune.pipelines.shared.resources import Resources
from mitune.training.checkpoint import Checkpoint, TrainingStep
from mitune.training.features import Encoder
from mitune.training.finetuning import Finetuning, Reward, finetune, save


@dataclass(frozen=True)
class Training:
    """Train on `selection` and write the adapter `key` into `scratch`; yields every step.

    The first process speaks and writes for all. Several give the gradients of one, up to the order
    in which numbers are added. `reward` and `encoder` are opened by each, on its own device, for an
    objective that asks for one of them.
    """

    selection: pd.DataFrame
    model: ModelRef
    adapter_in: AdapterRef
    scratch: Path
    key: str
    settings: Finetuning
    resources: Resources
    reward: Callable[[torch.device], Reward] | None = None
    encoder: Callable[[torch.device], Encoder] | None = None

    def __call__(self, rank: Rank, worker: Worker) -> Iterator[TrainingStep]:
        rank.join(worker.device)
        resources = self.resources
        backbone = open_backbone(self.model, worker.device, self.settings.dtype, resources.offload)
        if resources.gradient_checkpointing:
            backbone.network.enable_gradient_checkpointing()  # type: ignore[operator]
        if resources.compile:
            backbone.network.compile()
        checkpoint = Checkpoint(
            self.scratch / f"{self.key}.pt", self.key, resources.checkpoint_seconds
        )
        accelerator = Accelerator(cpu=worker.device.type == "cpu")
        steps = finetune(
            backbone,
            self.selection,
            self.settings,
            self.adapter_in,
            accelerator,
            checkpoint,
            self.reward(worker.device) if self.reward else None,
            self.encoder(worker.device) if self.encoder else None,
        )
        for step in steps:
            if accelerator.is_main_process:
                yield step
        if accelerator.is_main_process:
            facts = {**self._facts(), "processes": rank.count}
            save(backbone, self.scratch / self.key, self.settings, facts)
            checkpoint.path.unlink(missing_ok=True)

    def _facts(self) -> dict[str, object]:
        return {
            "round": self.adapter_in.round + 1,
            "model": asdict(self.model),
            "key": self.key,
            # Losses take means over a latent's elements: a strength hangs on how many there are.
            "latent_shape": list(self.selection.attrs["latent_shape"]),
            "previous": asdict(self.adapter_in),
        }
