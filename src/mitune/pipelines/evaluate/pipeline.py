"""Pipeline `evaluate`."""

from kedro.pipeline import Node, Pipeline

from mitune.pipelines.evaluate.images import generate_test_images
from mitune.pipelines.evaluate.nodes import evaluate


def create_pipeline() -> Pipeline:
    """test_prompts, adapter -> test_images -> evaluation, samples."""
    return Pipeline(
        [
            Node(
                generate_test_images,
                inputs=[
                    "test_prompts",
                    "base_model",
                    "adapter",
                    "workspace",
                    "params:evaluate",
                    "params:resources",
                ],
                outputs="test_images",
                name="generate_test_images",
            ),
            Node(
                evaluate,
                inputs=[
                    "test_images",
                    "test_prompts",
                    "base_model",
                    "adapter",
                    "params:evaluate",
                    "params:metrics",
                    "params:resources",
                ],
                outputs=["evaluation", "samples"],
                name="evaluate",
            ),
        ],
        namespace="evaluate",
        prefix_datasets_with_namespace=False,
        tags="evaluate",
    )
