"""Every pipeline by name. Explicit, so that `--pipelines=mitune` finds composites too."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from kedro.pipeline import Pipeline

from mitune.arm import Arm
from mitune.pipelines.agreement.pipeline import create_pipeline as agreement
from mitune.pipelines.arms import BASE, CONTROLS, MAX_ROUNDS, METHODS, ROUNDS, arms_of
from mitune.pipelines.compare.pipeline import create_pipeline as compare
from mitune.pipelines.edit.pipeline import create_pipeline as edit
from mitune.pipelines.finetune_on.pipeline import create_pipeline as finetune_on
from mitune.pipelines.guidance_grid.pipeline import create_pipeline as guidance_grid
from mitune.pipelines.merge.pipeline import create_pipeline as merge
from mitune.pipelines.mi_benchmark.pipeline import create_pipeline as mi_benchmark
from mitune.pipelines.pretrain.pipeline import create_pipeline as pretrain
from mitune.pipelines.prompts.pipeline import create_pipeline as prompts
from mitune.pipelines.quality.pipeline import create_pipeline as quality
from mitune.pipelines.report.pipeline import create_pipeline as report
from mitune.pipelines.rounds import create_arm
from mitune.pipelines.score.pipeline import create_pipeline as score
from mitune.pipelines.studies.pipeline import create_categories, create_studies
from mitune.pipelines.style.pipeline import create_pipeline as style
from mitune.pipelines.survey_analysis.pipeline import create_pipelines as surveys

DEFAULT_ROUNDS = 2
STAGES = (
    "prompts", "generate", "rank", "compose", "finetune", "evaluate", "guidance_curve", "report"
)  # fmt: skip


def register_pipelines() -> dict[str, Pipeline]:
    """`mitune` (two rounds, with controls), `mitune_r1..r3`, each stage, each round, and tools."""
    return dict(_registered())


@cache  # Kedro asks in every session
def _registered() -> dict[str, Pipeline]:
    composites = {f"mitune_r{r}": _mitune(arms_of(r)) for r in range(1, MAX_ROUNDS + 1)}
    mitune = composites[f"mitune_r{DEFAULT_ROUNDS}"]
    rounds = (BASE, *ROUNDS[:DEFAULT_ROUNDS])
    return {
        "__default__": mitune,
        "mitune": mitune,
        **composites,
        **{stage: mitune.only_nodes_with_tags(stage) for stage in STAGES},
        "controls": _every(CONTROLS),
        "agreement": agreement(),
        "compare": compare(METHODS),
        "edit": edit(arms_of(DEFAULT_ROUNDS)),
        "finetune_on": finetune_on(),
        "merge": merge(),
        "mi_benchmark": mi_benchmark(),
        "pretrain": pretrain(),
        "score": score(),
        "guidance_grid": guidance_grid(rounds),
        "studies": create_studies(),
        "categories": create_categories(),
        "quality": quality(arms_of(DEFAULT_ROUNDS)),
        **{f"quality_r{r}": quality(arms_of(r)) for r in range(1, MAX_ROUNDS + 1)},
        "style": style(),
        **surveys({r: arms_of(r) for r in range(1, MAX_ROUNDS + 1)}, DEFAULT_ROUNDS),
    }


def _mitune(arms: tuple[Arm, ...]) -> Pipeline:
    return prompts() + _every(arms) + report(arms)


def _every(arms: Iterable[Arm]) -> Pipeline:
    return sum((create_arm(arm) for arm in arms), Pipeline([]))
