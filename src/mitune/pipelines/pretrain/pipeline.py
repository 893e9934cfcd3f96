"""Pipeline `pretrain`."""

from kedro.pipeline import Node, Pipeline

from mitune.pipelines.pretrain.nodes import (
    ship,
    train_clip,
    train_denoiser,
    train_flow,
    train_judge,
    train_vae,
    train_vqa,
)

_COMMON = ["params:pretrain", "pretrain_folder"]


def create_pipeline() -> Pipeline:
    """From nothing to the weights in data/06_models; resumes where it stopped."""
    stages = ("vae", "judge", "clip", "denoiser", "flow", "vqa")
    vae, judge, clip, denoiser, flow, vqa = (f"pretrain_{stage}_log" for stage in stages)
    return Pipeline(
        [
            Node(train_vae, _COMMON, vae, name="train_vae"),
            Node(train_judge, [*_COMMON, vae], judge, name="train_judge"),
            Node(train_clip, _COMMON, clip, name="train_clip"),
            Node(train_denoiser, [*_COMMON, vae], denoiser, name="train_denoiser"),
            Node(train_flow, [*_COMMON, clip, denoiser], flow, name="train_flow"),
            Node(train_vqa, [*_COMMON, vae], vqa, name="train_vqa"),
            Node(
                ship, [*_COMMON, "shipped_models", judge, flow, vqa], "pretrain_card", name="ship"
            ),
        ],
        tags="pretrain",
    )
