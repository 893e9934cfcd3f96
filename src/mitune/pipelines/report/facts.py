"""What happened, in words: apart from measuring, so that a new metric does not change it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from mitune.backbones import ModelRef
from mitune.candidates import Generation
from mitune.pipelines.compose.parameters import Compose
from mitune.pipelines.shared.arms import by_metric
from mitune.training.finetuning import Finetuning


def page_facts(
    prompts: pd.DataFrame,
    model: ModelRef,
    settings: Generation,
    training: Finetuning,
    choice: Compose,
) -> dict[str, Any]:
    """What happened, in words and numbers."""
    count, images = len(prompts), settings.images_per_prompt
    sampling = settings.sampled_by.evaluations(settings.steps)
    evaluations = round(count * images * (sampling + settings.scoring.evaluations_per_image))
    selection = choice.selection
    rule = selection.kind.replace("_", " ")
    score = f" by {' and '.join(selection.scores)} score" if selection.scores else ""
    number = "" if selection.k is None else f", k = {selection.k}"
    means = selection.scores if by_metric(selection) else ["its own mutual information"]
    return {
        "title": f"{Path(model.path).name}, aligned by {' and '.join(means)}",
        "lead": (
            f"For each of {count} prompts the model made {images} images, estimated how much each "
            f"one says about its prompt, and was fine-tuned on the chosen ones "
            f"({rule}{score}{number})."
        ),
        "cost_note": (
            f"A round evaluates the network {evaluations:,} times for candidates: "
            f"{count} prompts x {images} images x ({sampling:,.0f} in "
            f"{settings.steps} steps + "
            f"{settings.scoring.evaluations_per_image} for scores)."
        ),
        "made": {
            "model": f"{model.path} ({model.digest})",
            "generate": settings.model_dump_json(),
            "compose": choice.model_dump_json(),
            "finetune": training.model_dump_json(),
        },
    }
