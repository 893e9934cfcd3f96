"""Pipeline `finetune`."""

from kedro.pipeline import Node, Pipeline

from mitune.pipelines.finetune.curve import draw_training
from mitune.pipelines.finetune.nodes import train


def create_pipeline() -> Pipeline:
    """finetuning_set, candidates, adapter_in -> adapter."""
    return Pipeline(
        [
            Node(
                train,
                inputs=[
                    "finetuning_set",
                    "candidates",
                    "base_model",
                    "adapter_in",
                    "workspace",
                    "params:finetune",
                    "params:resources",
                ],
                outputs=["adapter", "training_log"],
                name="train",
            ),
            Node(
                draw_training,
                inputs="training_log",
                outputs="training_figure",
                name="draw_training",
            ),
        ],
        namespace="finetune",
        prefix_datasets_with_namespace=False,
        tags="finetune",
    )
