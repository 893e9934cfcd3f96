"""Pipeline `pretrain`."""

from kedro.pipeline import Node, Pipeline

from mitune.pipelines.pretrain.nodes import (
    ship,
    train_clip,
    train_denoiser,
    train_judge,
    train_vae,
)

_COMMON = ["params:pretrain", "pretrain_folder"]


def create_pipeline() -> Pipeline:
    """From nothing to the weights in data/06_models; resumes where it stopped."""
    logs = [f"pretrain_{stage}_log" for stage in ("vae", "judge", "clip", "denoiser")]
    return Pipeline(
        [
            Node(train_vae, _COMMON, logs[0], name="train_vae"),
            Node(train_judge, [*_COMMON, logs[0]], logs[1], name="train_judge"),
            Node(train_clip, _COMMON, logs[2], name="train_clip"),
            Node(train_denoiser, [*_COMMON, logs[0]], logs[3], name="train_denoiser"),
            Node(ship, [*_COMMON, "shipped_models", *logs], "pretrain_card", name="ship"),
        ],
        tags="pretrain",
    )
