"""Pipeline `edit`."""

from kedro.pipeline import Node, Pipeline

from mitune.arm import Arm
from mitune.pipelines.edit.nodes import compare_edits, measure_edits, read_edits, show_edits
from mitune.pipelines.edit.painting import edit_pictures

_SETTINGS, _METRICS, _RESOURCES = "params:edit", "params:metrics", "params:resources"


def create_pipeline(arms: tuple[Arm, ...]) -> Pipeline:
    """Edits, adapters of `arms` -> edited pictures -> scores, and wins of every pair of arms."""
    reading = Node(
        read_edits,
        [_SETTINGS, "test_prompts", _METRICS],
        "edits",
        name="read_edits",
    )
    compared = Node(
        compare_edits(arms),
        [f"{arm.name}.edit_scores" for arm in arms],
        ["edit_table", "edit_wins"],
        name="compare_edits",
    )
    shown = Node(
        show_edits(arms),
        [_SETTINGS, "test_prompts", *(f"{arm.name}.edited" for arm in arms)],
        "edit_pictures",
        name="show_edits",
    )
    return Pipeline(
        [reading, *(node for arm in arms for node in _arm(arm)), compared, shown],
        namespace="edit",
        prefix_datasets_with_namespace=False,
        tags="edit",
    )


def _arm(arm: Arm) -> list[Node]:
    edited = f"{arm.name}.edited"
    return [
        Node(
            edit_pictures,
            [
                _SETTINGS,
                "test_prompts",
                "edits",
                "edit_model",
                arm.adapter,
                "workspace",
                _RESOURCES,
            ],
            edited,
            name=f"{arm.name}.edit_pictures",
        ),
        Node(
            measure_edits,
            [_SETTINGS, "test_prompts", edited, _METRICS, _RESOURCES],
            f"{arm.name}.edit_scores",
            name=f"{arm.name}.measure_edits",
        ),
    ]
