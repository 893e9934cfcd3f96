"""Pipeline `rank`."""

from kedro.pipeline import Node, Pipeline

from mitune.pipelines.rank.nodes import analyse, measure_candidates


def create_pipeline() -> Pipeline:
    """candidates, scores -> measurements -> agreement and figures."""
    return Pipeline(
        [
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
        ],
        namespace="rank",
        prefix_datasets_with_namespace=False,
        tags="rank",
    )
