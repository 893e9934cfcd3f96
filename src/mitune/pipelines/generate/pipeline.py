"""Pipeline `generate`."""

from kedro.pipeline import Node, Pipeline

from mitune.pipelines.generate.nodes import collect_scores, generate_candidates


def create_pipeline() -> Pipeline:
    """prompts, adapter_in -> candidates -> scores."""
    return Pipeline(
        [
            Node(
                generate_candidates,
                inputs=[
                    "prompts",
                    "base_model",
                    "image_source",
                    "adapter_in",
                    "workspace",
                    "params:generate",
                    "params:resources",
                ],
                outputs="candidates",
                name="generate_candidates",
            ),
            Node(
                collect_scores,
                inputs=[
                    "candidates",
                    "prompts",
                    "base_model",
                    "image_source",
                    "adapter_in",
                    "params:generate",
                ],
                outputs="scores",
                name="collect_scores",
            ),
        ],
        namespace="generate",
        prefix_datasets_with_namespace=False,
        tags="generate",
    )
