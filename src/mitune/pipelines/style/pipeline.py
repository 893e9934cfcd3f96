"""Pipeline `style`."""

from kedro.pipeline import Node, Pipeline

from mitune.arm import Arm
from mitune.pipelines.evaluate.images import generate_test_images
from mitune.pipelines.finetune.pipeline import create_pipeline as finetune_stage
from mitune.pipelines.prompts.pipeline import create_pipeline as prompts
from mitune.pipelines.quality.embed import embed_test_images
from mitune.pipelines.style.arms import STYLE_ARMS
from mitune.pipelines.style.nodes import (
    choose_rows,
    compare_styles,
    embed_edited,
    encode_pairs,
    read_pairs,
)
from mitune.pipelines.style.showing import show_styles

_EXAMPLES, _PAINTED, _LATENTS = "style.examples", "style_prompts", "style.candidates"
_SETTINGS, _MEASURES, _RESOURCES = "params:restyle", "params:quality", "params:resources"


def create_pipeline() -> Pipeline:
    """Pairs -> adapters of one and two stages -> distances to the edited pictures."""
    return prompts() + _pairs() + sum(map(_arm, STYLE_ARMS), Pipeline([])) + _comparison()


def _pairs() -> Pipeline:
    return Pipeline(
        [
            Node(
                read_pairs,
                [_SETTINGS, "prompts"],
                [_EXAMPLES, _PAINTED],
                name="read_pairs",
            ),
            Node(
                encode_pairs,
                [_SETTINGS, "prompts", _EXAMPLES, "base_model", "workspace", _RESOURCES],
                _LATENTS,
                name="encode_pairs",
            ),
            Node(
                embed_edited,
                [
                    _SETTINGS,
                    "prompts",
                    _EXAMPLES,
                    _PAINTED,
                    "base_model",
                    "params:evaluate",
                    _MEASURES,
                    _RESOURCES,
                ],
                "style.features",
                name="embed_edited",
            ),
        ],
        namespace="style",
        prefix_datasets_with_namespace=False,
        tags="style",
    )


def _arm(arm: Arm) -> Pipeline:
    """What it is trained on, its adapter, and what it paints for the set's prompts."""
    stages = Pipeline(
        [
            Node(
                generate_test_images,
                ["prompts", "base_model", "adapter", "workspace", "params:evaluate", _RESOURCES],
                "test_images",
                name="paint",
            ),
            Node(
                embed_test_images,
                [
                    "test_images",
                    "prompts",
                    "base_model",
                    "adapter",
                    "params:evaluate",
                    _MEASURES,
                    _RESOURCES,
                ],
                "features",
                name="embed",
            ),
        ],
        tags="style",
    )
    inputs = {"prompts": _PAINTED}
    if arm.trained:
        choosing = Node(
            choose_rows, ["examples", "params:finetune"], "finetuning_set", name="choose_rows"
        )
        stages += Pipeline([choosing]) + finetune_stage()
        inputs |= {
            "examples": _EXAMPLES,
            "candidates": _LATENTS,
            "adapter_in": arm.adapter_in,
        }
    else:
        inputs["adapter"] = arm.adapter
    shared = {name: name for name in ("base_model", "workspace")}
    blocks = {name: name for name in (_MEASURES, _RESOURCES, "params:evaluate")}
    if arm.finetuning:
        blocks["params:finetune"] = f"params:{arm.finetuning}"
    return Pipeline(stages, namespace=arm.name, inputs=inputs | shared, parameters=blocks)


def _comparison() -> Pipeline:
    compared = Node(
        compare_styles(STYLE_ARMS),
        [_SETTINGS, _MEASURES, "style.features", *(f"{arm.name}.features" for arm in STYLE_ARMS)],
        ["style_table", "style_differences", "style_figure"],
        name="compare_styles",
    )
    shown = Node(
        show_styles(STYLE_ARMS),
        [
            _SETTINGS,
            "prompts",
            _PAINTED,
            "base_model",
            _RESOURCES,
            *(f"{arm.name}.test_images" for arm in STYLE_ARMS),
        ],
        "style_pictures",
        name="show_styles",
    )
    return Pipeline(
        [compared, shown], namespace="style", prefix_datasets_with_namespace=False, tags="style"
    )
