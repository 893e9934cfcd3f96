"""Pipeline `merge`."""

from kedro.pipeline import Node, Pipeline

from mitune.pipelines.merge.nodes import merge


def create_pipeline() -> Pipeline:
    """Adapters named in `params:merge` -> merged.adapter, and a sweep between two."""
    return Pipeline(
        [
            Node(
                merge,
                inputs=["base_model", "workspace", "params:merge"],
                outputs=["merged.adapter", "merge_sweep", "merge_costs"],
                name="merge.merge",
            )
        ],
        tags="merge",
    )
