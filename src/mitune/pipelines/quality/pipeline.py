"""Pipeline `quality`."""

from collections.abc import Sequence

from kedro.pipeline import Node, Pipeline

from mitune.arm import Arm
from mitune.pipelines.quality.embed import embed_references, embed_test_images
from mitune.pipelines.quality.nodes import compare, count_wins

_SETTINGS = "params:quality"


def create_pipeline(arms: tuple[Arm, ...]) -> Pipeline:
    """Test images and evaluations of `arms` -> distances and win rates; the first is the base."""
    tables = [
        Node(
            compare(arms),
            [_SETTINGS, "arms", "reference_features", *(f"{arm.name}.features" for arm in arms)],
            ["quality", "quality_figure"],
            name="compare",
        ),
        Node(
            count_wins(arms),
            ["params:metrics", *(f"{arm.name}.evaluation" for arm in arms)],
            "win_rates",
            name="count_wins",
        ),
    ]
    return embedding(arms) + _stage(tables)


def embedding(arms: Sequence[Arm]) -> Pipeline:
    """References and test images of `arms` -> their features."""
    references = Node(
        embed_references,
        ["test_prompts", "params:evaluate", _SETTINGS, "params:resources"],
        "reference_features",
        name="embed_references",
    )
    return _stage([references, *map(_embedding, arms)])


def _stage(nodes: list[Node]) -> Pipeline:
    return Pipeline(
        nodes, namespace="quality", prefix_datasets_with_namespace=False, tags="quality"
    )


def _embedding(arm: Arm) -> Node:
    return Node(
        embed_test_images,
        [
            f"{arm.name}.test_images",
            "test_prompts",
            "base_model",
            arm.adapter,
            f"params:{arm.guidance}",
            _SETTINGS,
            "params:resources",
        ],
        f"{arm.name}.features",
        name=f"{arm.name}.embed",
    )
