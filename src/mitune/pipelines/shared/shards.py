"""Images as shards, made where they are missing and read back where they are whole."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from tqdm import tqdm

from mitune.candidates import Batch, Generation, Source, batches, counts, grown, shard_keys
from mitune.datasets.shards import Shards
from mitune.datasets.workspace import Workspace
from mitune.errors import UserError
from mitune.jobs import run
from mitune.lineage import source_code
from mitune.pipelines.shared.painting import Painting
from mitune.pipelines.shared.resources import Resources
from mitune.pipelines.shared.sources import with_code
from mitune.pipelines.shared.workers import executor_of


def make_shards(
    prompts: pd.DataFrame,
    source: Source,
    workspace: Workspace,
    settings: Generation,
    resources: Resources,
) -> Iterator[dict[str, pd.DataFrame | Path]]:
    """Shards of `source`, with a bar; no model is opened if all are finished.

    First the files of those that are, then tables of the others as they are made.
    """
    source = with_code(source, settings)
    wanted = settings.images_per_prompt
    keys = shard_keys(source, settings, prompts)
    finished = pictures_in(workspace.shards(keys))
    there = counts(finished, keys)
    jobs = batches(prompts, settings, resources.batch_size, there)
    whole = {name: finished.files[name] for name, count in there.items() if count >= wanted}
    if whole:
        yield dict(whole)

    def is_finished(batch: Batch) -> bool:
        return batch.first == wanted

    with tqdm(total=len(prompts), initial=len(whole), desc=source.name, unit="prompt") as progress:
        for made in run(
            jobs,
            Painting(source, settings, resources),
            is_finished,
            executor_of(resources, source.model),
            lambda batch: (wanted - batch.first) * len(batch.prompts),
        ):
            prompt_id, table = made.value
            if there[prompt_id] < wanted:  # others were made once more with their batch
                yield {prompt_id: grown(finished, prompt_id, table, there[prompt_id])}
                progress.update()


def pictures_in(shards: Shards) -> Shards:
    """Those that hold latents: a shard without is none of pictures."""
    files = {}
    for name, file in shards.files.items():
        there = shards.manifest(name)
        if there and "latent" in there.columns:
            files[name] = file
    return Shards(files)


def read_shards(
    shards: Shards,
    prompts: pd.DataFrame,
    settings: Generation,
    source: Source,
) -> Iterator[pd.DataFrame]:
    """The first M rows of every prompt's shard. Raises as `check_shards`."""
    check_shards(shards, prompts, settings, source)
    for prompt_id in prompts["prompt_id"]:
        yield shards[prompt_id].head(settings.images_per_prompt)


def check_shards(
    shards: Shards, prompts: pd.DataFrame, settings: Generation, source: Source
) -> None:
    """Compare what every shard says of itself with `source`, whose code need not be known.

    Raises
    ------
    UserError
        If a shard is missing, has fewer than M rows, or was made by another model or adapter, by
        other settings, or by code that has changed since.
    """
    expected = source.facts(settings)
    for prompt_id in prompts["prompt_id"]:
        there = shards.manifest(prompt_id)
        if (
            there is None
            or "latent" not in there.columns
            or there.rows < settings.images_per_prompt
            or {**there.made_by, "code": {}} != {**expected, "code": {}}
            or any(source_code.digest(name) != was for name, was in there.made_by["code"].items())
        ):
            raise UserError(
                f"{prompt_id}: its images are missing, fewer than {settings.images_per_prompt}, or "
                "of other settings or code; give the --params that they were made with, or rerun "
                "the stage that makes them"
            )
