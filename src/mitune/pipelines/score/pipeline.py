"""Pipeline `score`."""

from kedro.pipeline import Node, Pipeline

from mitune.pipelines.score.nodes import index_images, score_images, tabulate


def create_pipeline() -> Pipeline:
    """A folder of pictures -> scores of each, and their means with intervals."""
    return Pipeline(
        [
            Node(index_images, "images", "image_index", name="score.index_images"),
            Node(
                score_images,
                [
                    "image_index",
                    "images",
                    "finished_image_scores",
                    "params:metrics",
                    "params:resources",
                ],
                "image_score_shards",
                name="score.score_images",
            ),
            Node(
                tabulate,
                ["image_score_shards", "image_index", "params:metrics"],
                ["image_scores", "image_score_summary", "image_score_provenance"],
                name="score.tabulate",
            ),
        ],
        tags="score",
    )
