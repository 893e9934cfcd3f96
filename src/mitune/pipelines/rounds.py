"""Rounds and controls: the stages, wired by name."""

from __future__ import annotations

from kedro.pipeline import Pipeline

from mitune.pipelines.compose.pipeline import create_pipeline as compose_stage
from mitune.pipelines.evaluate.pipeline import create_pipeline as evaluate_stage
from mitune.pipelines.finetune.pipeline import create_pipeline as finetune_stage
from mitune.pipelines.generate.pipeline import create_pipeline as generate_stage
from mitune.pipelines.rank.pipeline import create_pipeline as rank_stage

SHARED = {"prompts", "test_prompts", "base_model", "image_source", "scratch"}
PARAMETERS = {
    f"params:{name}"
    for name in ("generate", "metrics", "compose", "finetune", "evaluate", "resources")
}


def create_round(number: int) -> Pipeline:
    """Generate -> rank, compose -> finetune -> evaluate, from the adapter of the round before."""
    previous = "base_adapter" if number == 1 else f"round_{number - 1}.adapter"
    stages = generate_stage() + rank_stage() + compose_stage() + finetune_stage() + evaluate_stage()
    return _namespaced(stages, f"round_{number}", {"adapter_in": previous})


def create_control(name: str) -> Pipeline:
    """Another way to choose from the candidates of round 1, at the same training budget."""
    stages = compose_stage() + finetune_stage() + evaluate_stage()
    return _namespaced(
        stages,
        name,
        {
            "adapter_in": "base_adapter",
            "candidates": "round_1.candidates",
            "scores": "round_1.scores",
        },
        {"params:compose": f"params:compose_{name}"},
    )


def create_base() -> Pipeline:
    """The model as it is, on the same test prompts and seeds."""
    return _namespaced(evaluate_stage(), "base", {"adapter": "base_adapter"})


def _namespaced(
    stages: Pipeline,
    namespace: str,
    inputs: dict[str, str],
    parameters: dict[str, str] | None = None,
) -> Pipeline:
    used = stages.inputs() | stages.all_outputs()
    shared = {name: name for name in SHARED if name in used}
    names = {name: name for name in PARAMETERS if name in used} | (parameters or {})
    return Pipeline(
        stages,
        namespace=namespace,
        inputs=shared | {k: v for k, v in inputs.items() if k in used},
        parameters=names,
    )
