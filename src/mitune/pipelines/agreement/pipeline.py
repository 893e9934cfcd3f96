"""Pipeline `agreement`: stages `generate` and `rank` on the tuning prompts, and a comparison."""

from kedro.pipeline import Node, Pipeline

from mitune.pipelines.agreement.nodes import compare, race
from mitune.pipelines.generate.pipeline import create_pipeline as generate_stage
from mitune.pipelines.prompts.pipeline import create_pipeline as prompts
from mitune.pipelines.rank.pipeline import create_pipeline as rank_stage


def create_pipeline() -> Pipeline:
    """tuning_prompts -> study.comparison, study.races."""
    comparison = Pipeline(
        [
            Node(
                compare,
                inputs=["candidates", "measurements", "params:study.replay", "params:metrics"],
                outputs="comparison",
                name="compare",
            ),
            Node(
                race,
                inputs=["candidates", "prompts", "params:study.races"],
                outputs=["races", "race_figure"],
                name="race",
            ),
        ]
    )
    study = Pipeline(
        generate_stage() + rank_stage() + comparison,
        namespace="study",
        inputs={
            "prompts": "tuning_prompts",
            "base_model": "base_model",
            "image_source": "image_source",
            "workspace": "workspace",
            "adapter_in": "base_adapter",
        },
        parameters={
            "params:generate": "params:study.generate",
            "params:study.replay": "params:study.replay",
            "params:study.races": "params:study.races",
            "params:metrics": "params:metrics",
            "params:resources": "params:resources",
        },
    )
    return prompts() + study
