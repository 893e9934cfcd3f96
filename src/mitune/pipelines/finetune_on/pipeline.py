"""Pipeline `finetune_on`."""

from kedro.pipeline import Node, Pipeline

from mitune.pipelines.arms import BASE
from mitune.pipelines.evaluate.pipeline import create_pipeline as evaluate_stage
from mitune.pipelines.finetune.pipeline import create_pipeline as finetune_stage
from mitune.pipelines.finetune_on.nodes import compare_with_base, encode_pictures, read_examples
from mitune.pipelines.prompts.pipeline import create_pipeline as prompts
from mitune.pipelines.rounds import create_arm

NAME = "given"
_READ, _ENCODED = "examples", "candidates"


def create_pipeline() -> Pipeline:
    """Files -> examples, their latents -> adapter -> evaluation, beside the base's."""
    compared = Node(
        compare_with_base,
        ["params:metrics", f"{BASE.name}.evaluation", f"{NAME}.evaluation"],
        "finetune_on_summary",
        name="compare_with_base",
        tags="finetune_on",
    )
    return prompts() + create_arm(BASE) + _given() + Pipeline([compared])


def _given() -> Pipeline:
    stages = _reading() + finetune_stage() + evaluate_stage()
    own = stages.all_outputs()
    parameters = {name for name in stages.inputs() if name.startswith("params:")}
    return Pipeline(
        stages,
        namespace=NAME,
        inputs={
            name: "base_adapter" if name == "adapter_in" else name
            for name in stages.inputs() - own - parameters
        },
        parameters={name: name for name in parameters},
    )


def _reading() -> Pipeline:
    return Pipeline(
        [
            Node(
                read_examples,
                ["params:examples", "params:finetune"],
                [_READ, "finetuning_set"],
                name="read_examples",
            ),
            Node(
                encode_pictures,
                ["params:examples", _READ, "base_model", "workspace", "params:resources"],
                _ENCODED,
                name="encode_pictures",
            ),
        ],
        namespace="read",
        prefix_datasets_with_namespace=False,
        tags="finetune_on",
    )
