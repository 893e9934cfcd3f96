"""Pipeline `evaluate`."""

from kedro.pipeline import Node, Pipeline

from mitune.pipelines.evaluate.nodes import evaluate


def create_pipeline() -> Pipeline:
    """test_prompts, adapter -> evaluation, samples."""
    return Pipeline(
        [
            Node(
                evaluate,
                inputs=[
                    "test_prompts",
                    "base_model",
                    "adapter",
                    "params:evaluate",
                    "params:metrics",
                    "params:resources",
                ],
                outputs=["evaluation", "samples"],
                name="evaluate",
            )
        ],
        namespace="evaluate",
        prefix_datasets_with_namespace=False,
        tags="evaluate",
    )
