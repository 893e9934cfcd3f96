"""Train the parts in order, then ship them with a card."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
from accelerate import Accelerator
from tqdm import tqdm

from mitune.pipelines.shared.training_log import log_table
from mitune.pretraining import (
    autoencoder,
    card,
    clip,
    denoiser,
    flow,
    judge,
    question_answering,
    vqa_card,
)
from mitune.pretraining.recipe import PretrainRecipe
from mitune.training.checkpoint import TrainingStep

Stage = Callable[[PretrainRecipe, Path, Accelerator], Iterator[TrainingStep]]


def _run(stage: Stage, recipe: PretrainRecipe, folder: Path, name: str) -> pd.DataFrame:
    steps = tqdm(stage(recipe, folder, Accelerator()), desc=name, unit="step")
    return log_table(steps)


def train_vae(recipe: PretrainRecipe, folder: Path) -> pd.DataFrame:
    """Autoencoder."""
    return _run(autoencoder.train_vae, recipe, folder, "autoencoder")


def train_judge(recipe: PretrainRecipe, folder: Path, vae_log: pd.DataFrame) -> pd.DataFrame:
    """The judge's eyes, which must see through the autoencoder's rounding."""
    return _run(judge.train_judge, recipe, folder, "judge")


def train_clip(recipe: PretrainRecipe, folder: Path) -> pd.DataFrame:
    """Contrastive image-text model."""
    return _run(clip.train_clip, recipe, folder, "clip")


def train_denoiser(recipe: PretrainRecipe, folder: Path, vae_log: pd.DataFrame) -> pd.DataFrame:
    """UNet and text encoder."""
    return _run(denoiser.train_denoiser, recipe, folder, "denoiser")


def train_flow(
    recipe: PretrainRecipe, folder: Path, clip_log: pd.DataFrame, denoiser_log: pd.DataFrame
) -> pd.DataFrame:
    """MMDiT, on the text encoders of the two before."""
    return _run(flow.train_flow, recipe, folder, "flow")


def train_vqa(recipe: PretrainRecipe, folder: Path, vae_log: pd.DataFrame) -> pd.DataFrame:
    """Question answering, which must see through the autoencoder's rounding too."""
    return _run(question_answering.train_vqa, recipe, folder, "question answering")


def ship(
    recipe: PretrainRecipe,
    folder: Path,
    shipped: Path,
    judge_log: pd.DataFrame,
    flow_log: pd.DataFrame,
    vqa_log: pd.DataFrame,
) -> dict[str, Any]:
    """Copy the weights to where the product reads them; measure them; write the model card."""
    for name, source in (
        ("miniature-sd", folder / "pipeline"),
        ("miniature-sd3", folder / "flow_pipeline"),
        ("miniature-clip", folder / "clip"),
        ("miniature-vqa", folder / "vqa"),
    ):
        shutil.copytree(source, shipped / name, dirs_exist_ok=True)
    (shipped / "miniature-judge").mkdir(exist_ok=True)
    shutil.copy(folder / "detector.safetensors", shipped / "miniature-judge" / "judge.safetensors")
    cards = {what.name: card.write_card(shipped, recipe, what) for what in card.MINIATURES}
    return {**cards, "miniature-vqa": vqa_card.write_vqa_card(shipped, recipe)}
