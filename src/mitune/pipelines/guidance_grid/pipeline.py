"""Pipeline `guidance_grid`."""

from kedro.pipeline import Node, Pipeline

from mitune.pipelines.guidance_grid.nodes import compare_cells, paint_cells
from mitune.pipelines.quality.embed import embed_references

_MEASURES = ["params:metrics", "params:quality"]


def create_pipeline(models: tuple[str, ...]) -> Pipeline:
    """tuning_prompts, adapters -> guidance_grid: a search, so never on the test prompts."""
    adapters = ["base_adapter", *(f"{model}.adapter" for model in models[1:])]
    return Pipeline(
        [
            Node(
                paint_cells(models),
                [
                    "tuning_prompts",
                    "base_model",
                    "guidance_grid_finished",
                    "params:evaluate",
                    *_MEASURES,
                    "params:guidance_grid",
                    "params:resources",
                    *adapters,
                ],
                "guidance_grid_cells",
                name="guidance_grid.paint_cells",
            ),
            Node(
                embed_references,
                ["tuning_prompts", "params:evaluate", "params:quality", "params:resources"],
                "guidance_grid_references",
                name="guidance_grid.embed_references",
            ),
            Node(
                compare_cells(models),
                [
                    "guidance_grid_cells",
                    "guidance_grid_references",
                    "tuning_prompts",
                    "base_model",
                    "params:evaluate",
                    *_MEASURES,
                    "params:guidance_grid",
                    *adapters,
                ],
                ["guidance_grid", "guidance_grid_figure"],
                name="guidance_grid.compare_cells",
            ),
        ],
        tags="guidance_grid",
    )
