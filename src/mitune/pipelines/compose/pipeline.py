"""Pipeline `compose`."""

from kedro.pipeline import Node, Pipeline

from mitune.pipelines.compose.nodes import compose


def create_pipeline() -> Pipeline:
    """Scores -> finetuning_set."""
    return Pipeline(
        [
            Node(
                compose,
                inputs=["scores", "params:compose"],
                outputs="finetuning_set",
                name="compose",
            )
        ],
        namespace="compose",
        prefix_datasets_with_namespace=False,
        tags="compose",
    )
