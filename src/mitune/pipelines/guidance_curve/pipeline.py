"""Pipeline `guidance_curve`."""

from kedro.pipeline import Node, Pipeline

from mitune.arm import Arm
from mitune.pipelines.guidance_curve.nodes import draw_curve, paint_curve

_SETTINGS = ["params:evaluate", "params:metrics", "params:guidance_curve"]


def create_pipeline(arms: tuple[Arm, ...]) -> Pipeline:
    """tuning_prompts, adapters -> guidance_curve; never on the test prompts: it is looked at."""
    adapters = [arm.adapter for arm in arms]
    return Pipeline(
        [
            Node(
                paint_curve(arms),
                [
                    "tuning_prompts",
                    "base_model",
                    "workspace",
                    *_SETTINGS,
                    "params:resources",
                    *adapters,
                ],
                "guidance_curve_cells",
                name="paint_curve",
            ),
            Node(
                draw_curve(arms),
                [
                    "guidance_curve_cells",
                    "arms",
                    "tuning_prompts",
                    "base_model",
                    *_SETTINGS,
                    *adapters,
                ],
                ["guidance_curve", "guidance_curve_figure"],
                name="draw_curve",
            ),
        ],
        namespace="guidance_curve",
        prefix_datasets_with_namespace=False,
        tags="guidance_curve",
    )
