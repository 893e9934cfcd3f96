"""Pipeline `agreement`: `kedro run --pipeline=agreement` after `prompts`."""

from kedro.pipeline import Node, Pipeline

from mitune.pipelines.agreement.nodes import collect_tuning, compare, generate_tuning
from mitune.pipelines.prompts.pipeline import create_pipeline as prompts
from mitune.pipelines.rank.nodes import analyse, measure_candidates


def create_pipeline() -> Pipeline:
    """tuning_prompts -> study.comparison."""
    study = Pipeline(
        [
            Node(
                generate_tuning,
                inputs=[
                    "tuning_prompts",
                    "base_model",
                    "base_adapter",
                    "finished_shards",
                    "params:study",
                    "params:resources",
                ],
                outputs="candidates",
                name="generate_candidates",
            ),
            Node(
                collect_tuning,
                inputs=[
                    "candidates",
                    "tuning_prompts",
                    "base_model",
                    "base_adapter",
                    "params:study",
                ],
                outputs="scores",
                name="collect_scores",
            ),
            Node(
                measure_candidates,
                inputs=["candidates", "scores", "base_model", "params:metrics", "params:resources"],
                outputs=["measurements", "contact_sheet"],
                name="measure_candidates",
            ),
            Node(
                analyse,
                inputs=["measurements", "params:metrics"],
                outputs=["agreement", "agreement_figure", "rank_figure"],
                name="analyse",
            ),
            Node(
                compare,
                inputs=["candidates", "measurements", "params:study", "params:metrics"],
                outputs="comparison",
                name="compare",
            ),
        ],
        namespace="study",
        inputs={"tuning_prompts", "base_model", "base_adapter"},
        parameters={"params:study", "params:metrics", "params:resources"},
    )
    return prompts() + study
