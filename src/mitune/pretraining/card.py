"""The miniature's model card: what it is made of, what it gets right, how it fails."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from PIL import Image

from mitune import libraries
from mitune.miniature.audit import audit
from mitune.miniature.judge import Judge
from mitune.miniature.prompts import draw_prompts
from mitune.miniature.vocabulary import CATEGORIES
from mitune.pretraining.autoencoder import round_trip
from mitune.pretraining.recipe import PretrainRecipe

if TYPE_CHECKING:
    from diffusers import AutoencoderKL, DiffusionPipeline

_IMAGES = 4
_STRONG_GUIDANCE = 3.0


@dataclass(frozen=True)
class Portrayed:
    """A shipped model: its folder, what it is, how its pipeline is loaded and called."""

    name: str
    what: tuple[str, ...]
    steps: str
    guidance: float  # its default
    absent: tuple[str, ...] = ()
    arguments: dict[str, Any] = field(default_factory=dict)


MINIATURES = (
    Portrayed(
        "miniature-sd",
        ("A Stable Diffusion of 6 M parameters that paints coloured, textured, sized shapes in",),
        "DDPM",
        1.5,
    ),
    Portrayed(
        "miniature-sd3",
        (
            "A Stable Diffusion 3 of 5 M parameters (MMDiT, rectified flow, two CLIP text encoders",
            "and no T5: load it with `text_encoder_3=None, tokenizer_3=None` and call it with",
            "`max_sequence_length=0`) that paints coloured, textured, sized shapes in",
        ),
        "Euler",
        2.0,
        ("text_encoder_3", "tokenizer_3"),
        {"max_sequence_length": 0},
    ),
)


def write_card(folder: Path, recipe: PretrainRecipe, what: Portrayed) -> dict[str, Any]:
    """Measure a shipped model on tuning prompts; write `README.md` and `samples.png` there."""
    model = folder / what.name
    absent = dict.fromkeys(what.absent)
    pipeline = libraries.diffusers.DiffusionPipeline.from_pretrained(
        model, torch_dtype=torch.float32, **absent
    )
    pipeline.set_progress_bar_config(disable=True)
    judge = Judge.load(folder / "miniature-judge" / "judge.safetensors")
    scores: dict[str, float] = {}
    guided: dict[str, float] = {}
    rows = []
    for category in CATEGORIES:
        prompts = draw_prompts(category, "tuning")[: recipe.card_prompts]
        repeated = [prompt for prompt in prompts for _ in range(_IMAGES)]
        images = _generate(pipeline, prompts, what.guidance, what, recipe.card_steps)
        scores[category] = float(np.mean([j.score for j in judge(images, repeated)]))
        strong = _generate(pipeline, prompts, _STRONG_GUIDANCE, what, recipe.card_steps)
        guided[category] = float(np.mean([j.score for j in judge(strong, repeated)]))
        rows.append(np.concatenate(list(images[:: _IMAGES // 2][:12]), axis=1))
    sheet = Image.fromarray(np.concatenate(rows))
    sheet.resize((sheet.width, sheet.height), Image.Resampling.NEAREST).save(model / "samples.png")
    card = {
        "judge_score": scores,
        "judge_score_mean": float(np.mean(list(scores.values()))),
        "judge_score_at_strong_guidance": guided,
        "judge_right_on_rendered": accuracy(audit(judge, recipe.audited)),
        "judge_right_after_autoencoder": accuracy(
            audit(judge, recipe.audited, through=lambda images: round_tripped(pipeline.vae, images))
        ),
        "recipe": recipe.model_dump(mode="json"),
    }
    (model / "README.md").write_text(_text(card, what))
    return card


def _generate(
    pipeline: DiffusionPipeline, prompts: list[str], guidance: float, what: Portrayed, steps: int
) -> NDArray[np.uint8]:
    generators = [torch.Generator().manual_seed(i) for i in range(len(prompts) * _IMAGES)]
    return (
        (
            pipeline(
                prompts,
                num_images_per_prompt=_IMAGES,
                num_inference_steps=steps,
                guidance_scale=guidance,
                generator=generators,
                output_type="np",
                **what.arguments,
            ).images
            * 255
        )
        .round()
        .astype(np.uint8)
    )


def accuracy(table: pd.DataFrame, by: str = "category") -> dict[str, float]:
    """Share of right judgements, from a table of an audit."""
    means = table.groupby(by, sort=False)["right"].mean()
    return {str(name): float(mean) for name, mean in means.items()}


def round_tripped(vae: AutoencoderKL, images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Pictures (N, H, W, 3) through the autoencoder and back."""
    pixels = round_trip(vae, torch.from_numpy(images).permute(0, 3, 1, 2))
    return pixels.permute(0, 2, 3, 1).numpy()


def _text(card: dict[str, Any], what: Portrayed) -> str:
    steps = f"{card['recipe']['card_steps']} {what.steps} steps"
    lines = [
        "---",
        "license: apache-2.0",
        "pipeline_tag: text-to-image",
        "library_name: diffusers",
        "---",
        f"# {what.name}",
        "",
        *what.what,
        "relation on 64x64 pixels. It was trained from scratch by `kedro run --pipeline=pretrain`",
        "on rendered scenes with careless captions: it leaks attributes, drops objects and",
        "miscounts, as large models do. It is a laboratory, not evidence about them.",
        "",
        "![samples](samples.png)",
        "",
        f"Judge score on tuning prompts ({card['recipe']['card_prompts']} prompts x {_IMAGES} "
        "images a",
        f"category, {steps}, at guidance {what.guidance}, its default, and at",
        f"{_STRONG_GUIDANCE}), and how often the judge is right where truth is known "
        f"({card['recipe']['audited']}",
        "pictures a category, one claim broken in half of them), on rendered pictures and on the",
        "same through the autoencoder:",
        "",
        f"| category | guidance {what.guidance} | guidance {_STRONG_GUIDANCE} "
        "| judge right, rendered | judge right, after the autoencoder |",
        "|---|---|---|---|---|",
        *(
            f"| {c} | {card['judge_score'][c]:.2f} "
            f"| {card['judge_score_at_strong_guidance'][c]:.2f} "
            f"| {card['judge_right_on_rendered'][c]:.3f} "
            f"| {card['judge_right_after_autoencoder'][c]:.3f} |"
            for c in CATEGORIES
        ),
        "",
        "Known failures: small things lose their shape in the autoencoder, inside another thing",
        "most of all; cyan is the hardest colour. Recipe:",
        "",
        "```json",
        json.dumps(card["recipe"], indent=1),
        "```",
        "",
    ]
    return "\n".join(lines)
