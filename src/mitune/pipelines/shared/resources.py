"""Where and how fast a stage runs: shared by all of them."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, model_validator
from typing_extensions import Self

from mitune.backbones.base import pick_device

_ELSEWHERE = {"ray": "ray", "slurm": "submitit"}  # what works on other machines, and its library


class Resources(BaseModel):
    """Where and how fast. Excluded from dumps, and so from every key: it cannot matter.

    `batch_size` is halved when memory runs out. `compile`: torch.compile the network; minutes
    before the first image. `gradient_checkpointing`: fine-tune in less memory and more time.
    `offload`: keep on the accelerator only the part that is at work.

    `workers`: processes that generate and measure side by side, and that share each batch of
    training; `auto` is one per accelerator, and on a CPU one per core as far as memory goes. On a
    CPU each has its share of the cores, whoever works: so `executor: serial` (this process alone),
    `processes`, and `auto` (alone for a single job) have the same images and numbers bit for bit,
    and adapters up to the order in which gradients are added. `workers: 1` is one process with all
    threads.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    device: str = Field(default="auto", exclude=True)
    batch_size: PositiveInt = Field(default=64, exclude=True)
    compile: bool = Field(default=False, exclude=True)
    gradient_checkpointing: bool = Field(default=False, exclude=True)
    offload: bool = Field(default=False, exclude=True)
    checkpoint_seconds: PositiveFloat = Field(default=60.0, exclude=True)
    workers: Literal["auto"] | PositiveInt = Field(default="auto", exclude=True)
    executor: Literal["auto", "serial", "processes", "ray", "slurm"] = Field(
        default="auto", exclude=True
    )
    slurm: Mapping[str, bool | int | float | str] = Field(default_factory=dict, exclude=True)

    @model_validator(mode="after")
    def _is_there(self) -> Self:
        if self.executor in _ELSEWHERE:
            library = _ELSEWHERE[self.executor]
            if find_spec(library) is None:
                raise ValueError(
                    f"executor {self.executor} needs {library}: pip install "
                    f"'mitune[{self.executor}]'"
                )
        else:
            pick_device(self.device)
        if self.executor == "slurm" and self.workers == "auto":
            raise ValueError("executor slurm needs to know how many tasks: set workers")
        return self

    @property
    def torch_device(self) -> torch.device:
        """`auto` resolved."""
        return pick_device(self.device)
