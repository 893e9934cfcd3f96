"""Read edits, measure what models made of them, and count who did better."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import asdict
from itertools import combinations, islice

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from mitune import comparison
from mitune.arm import Arm
from mitune.datasets.shards import Shards
from mitune.example_sets import Picture
from mitune.example_sets.edits import Edit
from mitune.example_sets.pictures import squared
from mitune.figures.picture_grid import picture_grid
from mitune.metrics import JudgeScore
from mitune.metrics.win_rate import win_rate
from mitune.miniature.edit_judge import EditJudge
from mitune.pipelines.edit.painting import content_of, edits_of
from mitune.pipelines.edit.parameters import Edits
from mitune.pipelines.shared.metrics import Metrics
from mitune.pipelines.shared.resources import Resources

_IDENTITY = ["prompt_id", "category", "prompt", "image_index", "seed"]
_ROWS = 6


def read_edits(settings: Edits, prompts: pd.DataFrame, metrics: Metrics) -> pd.DataFrame:
    """A line per edit: prompt_id (its name), category, prompt (its caption), instruction, picture.

    No model is opened: what is wrong with the files, or a text that a metric cannot read, is said
    before one is.
    """
    rows = [
        (e.name, e.category, e.caption, e.instruction, content_of(e), e.picture.where)
        for e in edits_of(settings, prompts)
    ]
    for config in metrics.scorers.values():
        config.check(sorted({caption for _, _, caption, *_ in rows}))
    columns = ["prompt_id", "category", "prompt", "instruction", "picture", "where"]
    return pd.DataFrame(rows, columns=columns)


def measure_edits(
    settings: Edits,
    prompts: pd.DataFrame,
    edited: Shards,
    metrics: Metrics,
    resources: Resources,
) -> pd.DataFrame:
    """Scores of every edited picture against the caption of its edit.

    Where scenes are known, exactly: `edited`, `kept` and `done` of `EditVerdict`, as 0 and 1.
    """
    scorers = metrics.load(resources.torch_device)
    judges = [c for c in metrics.scorers.values() if isinstance(c, JudgeScore)]
    judge = EditJudge.load(judges[0].path) if judges else None
    tables = []
    for edit in tqdm(list(edits_of(settings, prompts)), desc="measure", unit="edit"):
        shard = edited[edit.name].head(settings.images_per_edit)
        pictures = np.stack([_pixels(content) for content in shard["png"]])
        table = shard[_IDENTITY].copy()
        for name, scorer in scorers.items():
            table[name] = scorer(pictures, table["prompt"].tolist())
        if judge and edit.scene:
            table = table.assign(**_judged(judge, edit, pictures))
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def _judged(judge: EditJudge, edit: Edit, pictures: NDArray[np.uint8]) -> dict[str, list[float]]:
    assert edit.scene is not None
    verdicts = judge(pictures, [edit.scene] * len(pictures))
    return {
        name: [float(getattr(verdict, name)) for verdict in verdicts]
        for name in ("edited", "kept", "done")
    }


def _pixels(content: bytes) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(content)) as image:
        return np.asarray(image.convert("RGB"))


def show_edits(arms: tuple[Arm, ...]) -> Callable[..., Figure]:
    """Node function: the first edits, given picture and output, and what every arm made."""

    def show_edits_of_arms(settings: Edits, prompts: pd.DataFrame, *edited: Shards) -> Figure:
        rows = []
        for edit in islice(edits_of(settings, prompts), _ROWS):
            made = [_pixels(shards[edit.name]["png"].iloc[0]) for shards in edited]
            outputs = [edit.output] if edit.output else []
            given: list[Picture] = [edit.picture, *outputs]
            rows.append((edit.instruction, [*(squared(p, made[0].shape[0]) for p in given), *made]))
        titles = ["input", "output"][: len(rows[0][1]) - len(arms)]
        return picture_grid([*titles, *(arm.label for arm in arms)], rows)

    return show_edits_of_arms


def compare_edits(arms: tuple[Arm, ...]) -> Callable[..., tuple[pd.DataFrame, pd.DataFrame]]:
    """Node function over the scores of `arms`: means with intervals, and wins of every pair."""

    def compare_edits_of_arms(*scores: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
        by_arm = dict(zip((arm.name for arm in arms), scores, strict=True))
        measured = [c for c in map(str, scores[0]) if c not in _IDENTITY]
        summary = comparison.summarise(by_arm, measured, arms[0].name)
        wins = [
            {"model": model, "other": other, "metric": metric, **asdict(found)}
            for other, model in combinations(by_arm, 2)
            for metric in measured
            for found in (win_rate(by_arm[model], by_arm[other], metric),)
        ]
        return summary, pd.DataFrame(wins)

    return compare_edits_of_arms
