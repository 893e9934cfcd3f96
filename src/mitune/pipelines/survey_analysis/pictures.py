"""The pictures of a survey, from what a run has stored."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pandas as pd
from PIL import Image
from tqdm import tqdm

from mitune.arm import Arm
from mitune.backbones import AdapterRef, ModelRef
from mitune.candidates import ESTIMATES, latents_of
from mitune.datasets.shards import Shards
from mitune.errors import UserError
from mitune.pipelines.shared.metrics import Metrics
from mitune.pipelines.shared.models import opened
from mitune.pipelines.shared.resources import Resources
from mitune.pipelines.survey_analysis.parameters import Survey
from mitune.survey.study import MUTUAL_INFORMATION, chosen_images, picture_id


def choose_pictures(
    candidates: Shards,
    measurements: pd.DataFrame,
    model: ModelRef,
    survey: Survey,
    metrics: Metrics,
    resources: Resources,
) -> pd.DataFrame:
    """The candidate that MI, and that each metric, puts first, of every prompt."""
    chosen = chosen_images(measurements, _choosers(survey, metrics, measurements))
    parts = []
    with opened(model, AdapterRef(None), resources) as backbone:
        for prompt_id, rows in tqdm(
            chosen.groupby("prompt_id", sort=False), desc="pictures", unit="prompt"
        ):
            shard = candidates[str(prompt_id)]
            images = shard[shard["image_index"].isin(rows["image_index"])]
            pictures = backbone.decode(latents_of(images))
            pngs = dict(zip(images["image_index"], map(_png, pictures), strict=True))
            parts.append(rows.assign(png=rows["image_index"].map(pngs)))
    return _named(pd.concat(parts, ignore_index=True))


def gather_pictures(arms: tuple[Arm, ...]) -> Callable[..., pd.DataFrame]:
    """Node function: test pictures that every one of `arms` painted."""

    def gather_pictures_of_arms(*samples: pd.DataFrame) -> pd.DataFrame:
        tables = [table.assign(option=arm.name) for arm, table in zip(arms, samples, strict=True)]
        return _named(pd.concat(tables, ignore_index=True))

    return gather_pictures_of_arms


def _choosers(survey: Survey, metrics: Metrics, measurements: pd.DataFrame) -> dict[str, str]:
    """Columns of `measurements` by the option that each is."""
    estimates = [name for name in ESTIMATES if name in measurements]
    estimate = survey.metrics.estimate or estimates[-1]
    names = survey.metrics.metrics or tuple(metrics.scorers)
    for where, name, available in (
        ("estimate", estimate, estimates),
        *(("metrics", name, [*metrics.scorers]) for name in names),
    ):
        if name not in available or name not in measurements:
            raise UserError(
                f"survey.metrics.{where}: candidates are not measured with {name!r}; choose of "
                f"{', '.join(available)}, or rerun stage `rank`"
            )
    return {MUTUAL_INFORMATION: estimate} | {name: name for name in names}


def _named(table: pd.DataFrame) -> pd.DataFrame:
    kept = table.drop(columns="seed")
    return kept.assign(picture=[picture_id(png) for png in kept["png"]])


def _png(picture: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "PNG")
    return stream.getvalue()
