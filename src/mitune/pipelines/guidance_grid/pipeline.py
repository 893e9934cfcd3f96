"""Pipeline `guidance_grid`."""

from kedro.pipeline import Node, Pipeline

from mitune.arm import Arm
from mitune.pipelines.guidance_grid.nodes import compare_cells, paint_cells
from mitune.pipelines.quality.embed import embed_references

_MEASURES = ["params:metrics", "params:quality"]


def create_pipeline(arms: tuple[Arm, ...]) -> Pipeline:
    """tuning_prompts, adapters -> guidance_grid: a search, so never on the test prompts."""
    adapters = [arm.adapter for arm in arms]
    return Pipeline(
        [
            Node(
                paint_cells(arms),
                [
                    "tuning_prompts",
                    "base_model",
                    "workspace",
                    "params:evaluate",
                    *_MEASURES,
                    "params:guidance_grid",
                    "params:resources",
                    *adapters,
                ],
                "guidance_grid_cells",
                name="paint_cells",
            ),
            Node(
                embed_references,
                ["tuning_prompts", "params:evaluate", "params:quality", "params:resources"],
                "guidance_grid_references",
                name="embed_references",
            ),
            Node(
                compare_cells(arms),
                [
                    "guidance_grid_cells",
                    "arms",
                    "guidance_grid_references",
                    "tuning_prompts",
                    "base_model",
                    "params:evaluate",
                    *_MEASURES,
                    "params:guidance_grid",
                    *adapters,
                ],
                ["guidance_grid", "guidance_grid_figure"],
                name="compare_cells",
            ),
        ],
        namespace="guidance_grid",
        prefix_datasets_with_namespace=False,
        tags="guidance_grid",
    )
