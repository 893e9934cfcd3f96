"""Where and how fast a stage runs: shared by all of them."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Literal

import torch
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PositiveFloat,
    PositiveInt,
    ValidationInfo,
    field_validator,
)

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

    # First: what the others may be depends on it.
    executor: Literal["auto", "serial", "processes", "ray", "slurm"] = Field(
        default="auto", exclude=True
    )
    device: str = Field(default="auto", exclude=True)
    batch_size: PositiveInt = Field(default=64, exclude=True)
    compile: bool = Field(default=False, exclude=True)
    gradient_checkpointing: bool = Field(default=False, exclude=True)
    offload: bool = Field(default=False, exclude=True)
    checkpoint_seconds: PositiveFloat = Field(default=60.0, exclude=True)
    workers: Literal["auto"] | PositiveInt = Field(
        default="auto", exclude=True, validate_default=True
    )
    slurm: Mapping[str, bool | int | float | str] = Field(default_factory=dict, exclude=True)

    @field_validator("executor")
    @classmethod
    def _is_installed(cls, executor: str) -> str:
        library = _ELSEWHERE.get(executor)
        if library and find_spec(library) is None:
            raise ValueError(f"needs {library}: pip install 'mitune[{executor}]'")
        return executor

    @field_validator("device")
    @classmethod
    def _is_there(cls, device: str, info: ValidationInfo) -> str:
        if info.data.get("executor") not in _ELSEWHERE:
            pick_device(device)
        return device

    @field_validator("workers")
    @classmethod
    def _are_counted(cls, workers: str | int, info: ValidationInfo) -> str | int:
        if info.data.get("executor") == "slurm" and workers == "auto":
            raise ValueError("executor slurm needs to know how many tasks to submit; set it")
        return workers

    @property
    def torch_device(self) -> torch.device:
        """`auto` resolved."""
        return pick_device(self.device)
