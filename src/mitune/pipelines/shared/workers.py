"""Who works through the jobs of a stage: as many as the machine has room for."""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

import psutil
import torch

from mitune.backbones import ModelRef
from mitune.backbones.base import pick_device
from mitune.jobs import Automatic, Executor, Pool, Processes, Serial
from mitune.pipelines.shared.resources import Resources

if TYPE_CHECKING:
    from mitune.jobs.ray import Actors

# What workers have imported before they start: all that stages run in them.
PRELOAD = (
    "diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion",
    "peft",
    "mitune.backbones.stable_diffusion",
    "mitune.mi_benchmark",
    "mitune.pipelines.finetune.training",
    "mitune.pipelines.shared.measuring",
    "mitune.pipelines.shared.painting",
)
_SLURM = Path("data/02_intermediate/slurm")  # all machines see it
_COPIES = 4  # of all weights: what is kept for other stages, and what is computed with them


_actors: dict[tuple[str, str | int], Actors] = {}


class ReadsFiles(Protocol):
    """Settings that name the files they read: metrics do."""

    @property
    def files(self) -> Mapping[str, Path]: ...


def executor_of(
    resources: Resources, *reads: ModelRef | ReadsFiles, device: str | None = None
) -> Executor:
    """The executor that `resources` asks for.

    Parameters
    ----------
    resources
        Who, where and how many.
    reads
        What every worker will have open: on a CPU there are no more workers than copies fit.
    device
        Where, if not where `resources` say.
    """
    if device is not None:
        resources = resources.model_copy(update={"device": device})
    if resources.executor == "slurm":
        return _slurm(resources)
    if resources.executor == "ray":
        return _ray(resources.device, resources.workers)
    devices = _devices(resources)
    workers = _workers(resources, devices, reads)
    threads = _threads(devices, workers)
    serial = Serial(torch.device(devices[0]), threads)
    if resources.executor == "serial" or (resources.executor == "auto" and workers == 1):
        return serial
    processes = Processes(_pool(_places(devices, workers), threads))
    return processes if resources.executor == "processes" else Automatic(serial, processes)


def _slurm(resources: Resources) -> Executor:
    from mitune.jobs.slurm import Slurm

    assert resources.workers != "auto"  # its settings say so
    return Slurm(
        folder=_SLURM,
        count=resources.workers,
        threads=int(resources.slurm.get("cpus_per_task", 1)),
        device=partial(pick_device, resources.device),
        options=resources.slurm,
    )


def _ray(device: str, workers: Literal["auto"] | int) -> Executor:
    """Actors that stay until others are asked for, which may need their place."""
    from mitune.jobs.ray import Actors, Ray

    key = (device, workers)
    if key not in _actors:
        for actors in _actors.values():
            actors.end()
        _actors.clear()
        count = None if workers == "auto" else workers
        threads = max(1, min(torch.get_num_threads(), _cores() // (count or _cores())))
        _actors[key] = Actors(count, threads, partial(pick_device, device), gpus=device != "cpu")
    return Ray(_actors[key])


def ranks_of(resources: Resources, at_most: int, *reads: ModelRef | ReadsFiles) -> Pool | None:
    """New processes that train together, no more than `at_most`; None: this process alone."""
    devices = _devices(resources)
    most = at_most if devices[0] == "cpu" else min(at_most, len(devices))
    workers = min(_workers(resources, devices, reads), most)
    if resources.executor == "serial" or workers <= 1:
        return None
    return Pool(_places(devices, workers), _threads(devices, workers), PRELOAD)


def _places(devices: Sequence[str], workers: int) -> tuple[str, ...]:
    return tuple(devices[place % len(devices)] for place in range(workers))


def _threads(devices: Sequence[str], workers: int) -> int:
    """Of torch in each process."""
    threads = torch.get_num_threads()
    return max(1, min(threads, _cores() // workers)) if devices[0] == "cpu" else threads


@cache
def _pool(devices: tuple[str, ...], threads: int) -> Pool:
    """One for the life of this process: what workers have imported and opened serves all nodes."""
    pool = Pool(devices, threads, PRELOAD)
    atexit.register(pool.end)
    return pool


def _devices(resources: Resources) -> list[str]:
    """All accelerators of the kind, unless one of them was named."""
    chosen = resources.torch_device
    named = ":" in resources.device
    if named or chosen.type in ("cpu", "mps"):
        return [str(chosen)]
    return [f"{chosen.type}:{index}" for index in range(torch.accelerator.device_count())]


def _workers(
    resources: Resources, devices: Sequence[str], reads: Sequence[ModelRef | ReadsFiles]
) -> int:
    if resources.workers != "auto":
        return resources.workers
    return min(_cores(), _that_fit(reads)) if devices[0] == "cpu" else len(devices)


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _that_fit(reads: Sequence[ModelRef | ReadsFiles]) -> int:
    """How many workers: one if weights are on the hub, which are large ones."""
    files = [list(_files(each)) for each in reads]
    if not all(files):
        return 1
    size = sum(file.stat().st_size for each in files for file in each)
    return max(1, int(psutil.virtual_memory().available / (_COPIES * size))) if size else _cores()


def _files(read: ModelRef | ReadsFiles) -> Iterator[Path]:
    paths = [Path(read.path)] if isinstance(read, ModelRef) else list(read.files.values())
    for path in paths:
        yield from path.rglob("*.safetensors") if path.is_dir() else [path] * path.is_file()
