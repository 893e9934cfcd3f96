"""Pipelines `studies` and `categories`: benches of arms on one set of candidates, and a page."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from mitune.pipelines.arms import ROUNDS
from mitune.pipelines.prompts.pipeline import create_pipeline as prompts
from mitune.pipelines.rounds import create_arm
from mitune.pipelines.studies.bench import create_bench
from mitune.pipelines.studies.parameters import CATEGORIES, STUDIES
from mitune.pipelines.studies.report import PARTS, write_page

_FIRST, _SECOND = ROUNDS[:2]
_ROUNDS = (
    f"{_FIRST.name}.generate.generate_candidates",
    f"{_FIRST.name}.generate.collect_scores",
    f"{_FIRST.name}.compose.compose",
    f"{_FIRST.name}.finetune.train",
    f"{_SECOND.name}.generate.generate_candidates",
    f"{_SECOND.name}.generate.collect_scores",
)
_GIVEN = ("base_model", "image_source", "base_adapter", "workspace")
_READ = ("generate", "finetune", "evaluate", "metrics", "resources", "study.replay")


def create_studies() -> Pipeline:
    """Prompts and two rounds of the main job -> studies; categories; a page of both.

    What the nodes of the main job find, they do not make again.
    """
    rounds = (create_arm(_FIRST) + create_arm(_SECOND)).only_nodes(*_ROUNDS)
    bench = Pipeline(
        create_bench(whole=True),
        namespace=STUDIES,
        inputs={name: name for name in (*_GIVEN, "prompts", "test_prompts")}
        | {
            "later_candidates": f"{_SECOND.name}.candidates",
            "later_scores": f"{_SECOND.name}.scores",
            "later_adapter_in": _SECOND.adapter_in,
        },
        parameters=_parameters(STUDIES),
    )
    return prompts() + rounds + bench + _categories() + _page((STUDIES, CATEGORIES))


def create_categories() -> Pipeline:
    """Prompts of several categories -> an adapter each, merged, joint -> a cross table; a page."""
    return _categories() + _page((CATEGORIES,))


def _categories() -> Pipeline:
    return Pipeline(
        prompts() + create_bench(whole=False),
        namespace=CATEGORIES,
        inputs={name: name for name in (*_GIVEN, "prompt_files")},
        parameters=_parameters(CATEGORIES) | {"params:prompts": f"params:{CATEGORIES}.prompts"},
    )


def _parameters(block: str) -> dict[str, str]:
    images = "images_per_prompt"
    own = {"params:bench": f"params:{block}", f"params:bench.{images}": f"params:{block}.{images}"}
    return own | {f"params:{name}": f"params:{name}" for name in _READ}


def _page(benches: tuple[str, ...]) -> Pipeline:
    first = benches[0]
    return Pipeline(
        [
            Node(
                write_page(benches),
                [
                    "params:metrics",
                    f"{first}.rank_figure",
                    f"{first}.comparison",
                    "run_record",
                    *(_part(bench, part) for bench in benches for part in PARTS),
                ],
                f"{first}.page",
                name="write_studies_page",
                tags=["studies", "page"],
            )
        ],
        namespace=f"{first}.page",
        prefix_datasets_with_namespace=False,
    )


def _part(bench: str, part: str) -> str:
    if part == "params":
        return f"params:{bench}"
    if part == "test_prompts" and bench == STUDIES:
        return part
    return f"{bench}.{part}"
