"""Every pipeline by name. Explicit, so that `--pipelines=mitune` finds composites too."""

from __future__ import annotations

from kedro.pipeline import Pipeline

from mitune.pipelines.agreement.pipeline import create_pipeline as agreement
from mitune.pipelines.arms import CONTROLS, MAX_ROUNDS
from mitune.pipelines.guidance_grid.pipeline import create_pipeline as guidance_grid
from mitune.pipelines.mi_benchmark.pipeline import create_pipeline as mi_benchmark
from mitune.pipelines.pretrain.pipeline import create_pipeline as pretrain
from mitune.pipelines.prompts.pipeline import create_pipeline as prompts
from mitune.pipelines.quality.pipeline import create_pipeline as quality
from mitune.pipelines.report.pipeline import create_pipeline as report
from mitune.pipelines.rounds import create_base, create_control, create_round
from mitune.pipelines.score.pipeline import create_pipeline as score

DEFAULT_ROUNDS = 2
STAGES = ("prompts", "generate", "rank", "compose", "finetune", "evaluate", "report")


def register_pipelines() -> dict[str, Pipeline]:
    """`mitune` (two rounds, with controls), `mitune_r1..r3`, each stage, each round, and tools."""
    composites = {f"mitune_r{r}": _mitune(r) for r in range(1, MAX_ROUNDS + 1)}
    mitune = composites[f"mitune_r{DEFAULT_ROUNDS}"]
    return {
        "__default__": mitune,
        "mitune": mitune,
        **composites,
        **{stage: mitune.only_nodes_with_tags(stage) for stage in STAGES},
        "controls": _controls(),
        "agreement": agreement(),
        "mi_benchmark": mi_benchmark(),
        "pretrain": pretrain(),
        "score": score(),
        "guidance_grid": guidance_grid(("base", *_rounds(DEFAULT_ROUNDS))),
        "quality": quality(_models(DEFAULT_ROUNDS)),
        **{f"quality_r{r}": quality(_models(r)) for r in range(1, MAX_ROUNDS + 1)},
    }


def _controls() -> Pipeline:
    return sum((create_control(name) for name in CONTROLS), Pipeline([]))


def _mitune(rounds: int) -> Pipeline:
    every = sum((create_round(r) for r in range(1, rounds + 1)), Pipeline([]))
    return prompts() + create_base() + every + _controls() + report(_models(rounds))


def _models(rounds: int) -> tuple[str, ...]:
    return ("base", *CONTROLS, *_rounds(rounds))


def _rounds(last: int) -> tuple[str, ...]:
    return tuple(f"round_{r}" for r in range(1, last + 1))
