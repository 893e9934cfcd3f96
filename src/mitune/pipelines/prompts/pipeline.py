"""Pipeline `prompts`."""

from kedro.pipeline import Node, Pipeline

from mitune.pipelines.prompts.nodes import ingest


def create_pipeline() -> Pipeline:
    """prompt_files -> prompts, tuning_prompts, test_prompts."""
    return Pipeline(
        [
            Node(
                ingest,
                inputs=["prompt_files", "base_model", "params:prompts"],
                outputs=["prompts", "tuning_prompts", "test_prompts"],
                name="ingest",
            )
        ],
        namespace="prompts",
        prefix_datasets_with_namespace=False,
        tags="prompts",
    )
