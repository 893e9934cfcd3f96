"""Memory and time of a stage against its number of prompts, on a tiny network.

What is timed is the stage itself: jobs, keys, shards on disk, what is finished. Each number of
prompts has a process of its own, since a process never gives back its peak.
"""

from __future__ import annotations

import multiprocessing
import resource
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pandas as pd
import torch
from diffusers import DiffusionPipeline, UNet2DConditionModel

from benchmarks.generation import MODEL
from benchmarks.ratios import Row, seconds
from mitune.backbones import AdapterRef, ModelRef
from mitune.candidates import Generation, Source
from mitune.datasets.shards import ShardsDataset
from mitune.datasets.workspace import Workspace
from mitune.guidance import ClassifierFree
from mitune.pipelines.shared.resources import Resources
from mitune.pipelines.shared.shards import make_shards

COUNTS = (1_000, 5_000, 20_000)


def rows() -> Iterator[Row]:
    """Each number of prompts beside the first."""
    with tempfile.TemporaryDirectory() as folder:
        save_tiny(Path(folder) / "model")
        found = {}
        for count in COUNTS:
            context = multiprocessing.get_context("spawn")
            with ProcessPoolExecutor(1, mp_context=context) as process:
                found[count] = process.submit(stage, count, Path(folder)).result()
    first_seconds, first_memory = found[COUNTS[0]]
    for count in COUNTS[1:]:
        took, memory = found[count]
        names = (f"{count:,} prompts", f"{COUNTS[0]:,} prompts")
        ratio, each = memory / first_memory, took / count / (first_seconds / COUNTS[0])
        yield Row(
            "prompts",
            f"peak memory, {names[0]}",
            names[1],
            ratio,
            ratio,
            ratio,
            f"{memory:,.0f} and {first_memory:,.0f} MiB",
        )
        yield Row(
            "prompts",
            f"time per prompt, {names[0]}",
            names[1],
            each,
            each,
            each,
            f"{took:,.1f} and {first_seconds:,.1f} s",
        )


def save_tiny(folder: Path) -> None:
    """The miniature with a network of a few thousand weights."""
    pipeline = DiffusionPipeline.from_pretrained(MODEL.path)
    torch.manual_seed(0)
    pipeline.unet = UNet2DConditionModel(
        sample_size=4,
        in_channels=pipeline.unet.config.in_channels,
        out_channels=pipeline.unet.config.out_channels,
        cross_attention_dim=pipeline.unet.config.cross_attention_dim,
        block_out_channels=(8, 8),
        layers_per_block=1,
        norm_num_groups=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=4,
    )
    pipeline.save_pretrained(folder)


def stage(count: int, folder: Path) -> tuple[float, float]:
    """Seconds and peak MiB of one stage that makes one image of each prompt in one step."""
    prompts = pd.DataFrame(
        {
            "prompt_id": [f"p{number:06}" for number in range(count)],
            "category": "color",
            "prompt": [f"{number} red stars" for number in range(count)],
        }
    )
    shards = folder / str(count)
    dataset, workspace = ShardsDataset(filepath=str(shards)), Workspace(shards, [shards])
    source = Source(ModelRef(str(folder / "model"), "tiny"), AdapterRef(None), "benchmark")
    settings = Generation(images_per_prompt=1, steps=1, guidance=ClassifierFree(scale=2.0))
    resources = Resources(device="cpu", batch_size=64, executor="serial")

    def run() -> None:
        for made in make_shards(prompts, source, workspace, settings, resources):
            dataset.save(made)

    took = seconds(run)
    return took, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
