"""What is chosen on the tuning prompts is chosen alike: the same pictures, by the same metric."""

from __future__ import annotations

from mitune.backbones import AdapterRef, ModelRef
from mitune.candidates import Generation, Source
from mitune.pipelines.evaluate.parameters import Evaluation
from mitune.pipelines.guidance_grid.cells import Cell
from mitune.pipelines.guidance_grid.parameters import GuidanceGrid


def tuned_on(evaluation: Evaluation, tuning: GuidanceGrid) -> Generation:
    """As test images are made, but for how many there are of a prompt."""
    update = {"images_per_prompt": tuning.images_per_prompt}
    return evaluation.generation.model_copy(update=update)


def tuning_cell(
    name: str,
    model: ModelRef,
    adapter: AdapterRef,
    settings: Generation,
    scale: float | None = None,
) -> Cell:
    """`adapter` at `scale`, or at the guidance of `settings`; seeds are shared by all cells."""
    if scale is not None:
        settings = settings.model_copy(update={"guidance": settings.guidance.at_scale(scale)})
    return Cell(name, scale, Source(model, adapter, "compare"), settings)
