"""The stages of an arm, wired by name."""

from __future__ import annotations

from kedro.pipeline import Pipeline

from mitune.arm import Arm
from mitune.pipelines.compose.pipeline import create_pipeline as compose_stage
from mitune.pipelines.evaluate.pipeline import create_pipeline as evaluate_stage
from mitune.pipelines.finetune.pipeline import create_pipeline as finetune_stage
from mitune.pipelines.generate.pipeline import create_pipeline as generate_stage
from mitune.pipelines.rank.pipeline import create_pipeline as rank_stage
from mitune.pipelines.report.shown import show_stage

SHARED = {"prompts", "test_prompts", "base_model", "image_source", "workspace"}
PARAMETERS = {
    f"params:{name}"
    for name in ("generate", "metrics", "compose", "finetune", "evaluate", "resources")
}


def create_arm(arm: Arm) -> Pipeline:
    """Generate -> rank, compose -> finetune -> evaluate, as far as it has them of its own."""
    stages = evaluate_stage()
    inputs = {"adapter_in": arm.adapter_in}
    blocks = {"params:evaluate": f"params:{arm.guidance}"}
    if arm.trained:
        stages += compose_stage() + finetune_stage()
        blocks["params:compose"] = f"params:{arm.composition}"
        blocks["params:finetune"] = f"params:{arm.finetuning}"
    else:
        inputs["adapter"] = arm.adapter
    if arm.candidates_of:
        inputs |= {name: f"{arm.candidates_of}.{name}" for name in ("candidates", "scores")}
    elif arm.trained:
        stages += generate_stage() + rank_stage()
    stages += show_stage(stages.all_outputs())
    used = stages.inputs() | stages.all_outputs()
    return Pipeline(
        stages,
        namespace=arm.name,
        inputs=_kept({name: name for name in SHARED} | inputs, used),
        parameters=_kept({name: name for name in PARAMETERS} | blocks, used),
    )


def _kept(names: dict[str, str], used: set[str]) -> dict[str, str]:
    return {inner: outer for inner, outer in names.items() if inner in used}
