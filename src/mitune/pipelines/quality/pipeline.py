"""Pipeline `quality`."""

from kedro.pipeline import Node, Pipeline

from mitune.pipelines.quality.embed import embed_references, embed_test_images
from mitune.pipelines.quality.nodes import compare, count_wins

_SETTINGS = "params:quality"


def create_pipeline(models: tuple[str, ...]) -> Pipeline:
    """Test images and evaluations of `models` -> distances and win rates; the first is the base."""
    tables = [
        Node(
            embed_references,
            ["test_prompts", "params:evaluate", _SETTINGS, "params:resources"],
            "reference_features",
            name="quality.embed_references",
        ),
        Node(
            compare(models),
            [_SETTINGS, "reference_features", *(f"{model}.features" for model in models)],
            ["quality", "quality_figure"],
            name="quality.compare",
        ),
        Node(
            count_wins(models),
            ["params:metrics", *(f"{model}.evaluation" for model in models)],
            "win_rates",
            name="quality.count_wins",
        ),
    ]
    return Pipeline([*map(_embedding, models), *tables], tags="quality")


def _embedding(model: str) -> Node:
    adapter = "base_adapter" if model == "base" else f"{model}.adapter"
    return Node(
        embed_test_images,
        [
            f"{model}.test_images",
            "test_prompts",
            "base_model",
            adapter,
            "params:evaluate",
            _SETTINGS,
            "params:resources",
        ],
        f"{model}.features",
        name=f"{model}.quality.embed",
    )
