"""The test images of a finished run, for others to score."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from kedro.io import CatalogProtocol
from numpy.typing import NDArray

from mitune.arm import Arm
from mitune.backbones import AdapterRef
from mitune.candidates import latents_of
from mitune.errors import UserError
from mitune.image_folder import check_prompts, write_folder
from mitune.pipelines.evaluate.images import evaluation_source
from mitune.pipelines.shared.models import opened
from mitune.pipelines.shared.shards import read_shards


def export_images(
    catalog: CatalogProtocol, arm: Arm, folder: Path, category: str | None = None
) -> Iterator[int]:
    """Write `{arm.name}.test_images` to T2I-CompBench's layout; yield how many at a time.

    `category`: of one category alone; its official scripts take one at a time.

    Raises
    ------
    UserError
        If images are missing or of other settings or code, or as `image_folder.write_folder`.
    """
    images = f"{arm.name}.test_images"
    if not catalog.exists(images):
        raise UserError(f"{images}: nothing there; run the pipeline that makes them (`mitune`)")
    prompts = _chosen(catalog.load("test_prompts"), category)
    check_prompts(prompts["prompt"])
    settings = catalog.load(f"params:{arm.guidance}").generation
    adapter = catalog.load(arm.adapter)
    base, resources = catalog.load("base_model"), catalog.load("params:resources")
    source = evaluation_source(base, adapter)
    shards = read_shards(catalog.load(images), prompts, settings, source)
    with opened(base, AdapterRef(None), resources) as backbone:

        def decoded() -> Iterator[tuple[pd.DataFrame, NDArray[np.uint8]]]:
            for shard in shards:
                yield shard, backbone.decode(latents_of(shard))

        yield from write_folder(folder, decoded())


def _chosen(prompts: pd.DataFrame, category: str | None) -> pd.DataFrame:
    if category is None:
        return prompts
    chosen = prompts[prompts["category"] == category]
    if chosen.empty:
        available = ", ".join(dict.fromkeys(prompts["category"]))
        raise UserError(f"no category {category!r} among the test prompts; choose of {available}")
    return chosen
