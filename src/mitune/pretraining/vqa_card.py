"""The card of the miniature that answers questions: how often it is right."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mitune import libraries
from mitune.metrics.blip_vqa import BlipVqa
from mitune.pretraining.card import accuracy, round_tripped
from mitune.pretraining.question_answering import audit_answers
from mitune.pretraining.recipe import PretrainRecipe


def write_vqa_card(folder: Path, recipe: PretrainRecipe) -> dict[str, Any]:
    """Ask the shipped `miniature-vqa` about scenes that are known; write its `README.md`."""
    model = folder / "miniature-vqa"
    scorer = BlipVqa(path=model, parser="miniature").load(torch.device("cpu"))
    vae = (
        libraries.diffusers.AutoencoderKL.from_pretrained(folder / "miniature-sd" / "vae")
        .float()
        .eval()
    )

    def through(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return round_tripped(vae, images)

    card: dict[str, Any] = {
        "right_on_rendered": accuracy(audit_answers(scorer, recipe.audited), "kind"),
        "right_after_autoencoder": accuracy(
            audit_answers(scorer, recipe.audited, through=through),
            "kind",
        ),
        "recipe": recipe.vqa.model_dump(mode="json"),
    }
    rendered, rounded = card["right_on_rendered"], card["right_after_autoencoder"]
    lines = [
        "---",
        "license: apache-2.0",
        "pipeline_tag: visual-question-answering",
        "library_name: transformers",
        "---",
        "# miniature-vqa",
        "",
        "A BLIP for question answering of 2 M parameters (`BlipForQuestionAnswering`) that says",
        "yes or no to `a red circle?` about pictures of the miniature world. It was trained from",
        "scratch by `kedro run --pipeline=pretrain` on rendered scenes, a quarter of them through",
        "the autoencoder; it has never seen a generated picture nor an answer of the judge. It",
        "makes the BLIP-VQA score run with meaningful weights; it says nothing about BLIP.",
        "",
        f"How often it is right where truth is known ({recipe.audited} questions of each kind, "
        "half of",
        "them to be answered with no):",
        "",
        "| questions about | rendered | after the autoencoder |",
        "|---|---|---|",
        *(f"| {kind} | {rendered[kind]:.3f} | {rounded[kind]:.3f} |" for kind in rendered),
        "",
        "```json",
        json.dumps(card["recipe"], indent=1),
        "```",
        "",
    ]
    (model / "README.md").write_text("\n".join(lines))
    return card
