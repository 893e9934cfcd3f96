"""Pipeline `studies`."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from mitune.pipelines.arms import ROUNDS
from mitune.pipelines.prompts.pipeline import create_pipeline as prompts
from mitune.pipelines.rank.pipeline import create_pipeline as rank_stage
from mitune.pipelines.rounds import create_arm
from mitune.pipelines.studies.measuring import measure_arms
from mitune.pipelines.studies.merging import merge_arms
from mitune.pipelines.studies.pool import collect_more, paint_more
from mitune.pipelines.studies.real import encode_real_pictures
from mitune.pipelines.studies.report import draw_studies, write_studies_page
from mitune.pipelines.studies.sets import compose_sets
from mitune.pipelines.studies.table import tabulate
from mitune.pipelines.studies.training import train_arms

_FIRST, _SECOND = ROUNDS[:2]
_ROUNDS = (
    f"{_FIRST.name}.generate.generate_candidates",
    f"{_FIRST.name}.generate.collect_scores",
    f"{_FIRST.name}.compose.compose",
    f"{_FIRST.name}.finetune.train",
    f"{_SECOND.name}.generate.generate_candidates",
    f"{_SECOND.name}.generate.collect_scores",
)
_GIVEN = {name: name for name in ("base_model", "image_source", "base_adapter", "workspace")}
_READ = ("generate", "finetune", "evaluate", "metrics", "resources")
_SETTINGS = {f"params:{name}": f"params:{name}" for name in _READ}


def create_pipeline() -> Pipeline:
    """Candidates and adapter of round 1, candidates of round 2 -> studies.page.

    Prompts and rounds are those of the main job, by the same nodes: what they find, they do not
    make again.
    """
    rounds = create_arm(_FIRST) + create_arm(_SECOND)
    bench = Pipeline(
        _pool() + rank_stage() + _arms(later=True) + _report(),
        namespace="studies",
        inputs=_GIVEN
        | {name: name for name in ("prompts", "test_prompts", "run_record")}
        | {
            "later_candidates": f"{_SECOND.name}.candidates",
            "later_scores": f"{_SECOND.name}.scores",
            "later_adapter_in": _SECOND.adapter_in,
        },
        parameters=_SETTINGS
        | {
            "params:prompts": "params:prompts",
            "params:bench": "params:studies",
            "params:bench.images_per_prompt": "params:studies.images_per_prompt",
        },
    )
    return prompts() + rounds.only_nodes(*_ROUNDS) + bench


def _pool() -> Pipeline:
    images, made_by = "params:bench.images_per_prompt", ["base_model", "image_source"]
    return _stage(
        "pool",
        Node(
            paint_more,
            [
                "prompts", *made_by, "base_adapter", "workspace", "params:generate", images,
                "params:resources",
            ],
            "candidates",
            name="paint_more",
        ),
        Node(
            collect_more,
            ["candidates", "prompts", *made_by, "base_adapter", "params:generate", images],
            "scores",
            name="collect_more",
        ),
    )  # fmt: skip


def _arms(later: bool) -> Pipeline:
    """Sets, adapters, images; `later`: whether there is a round 2 to choose from."""
    adapters = {"trained": "trained", "merged": "merged", "model": "base_model"}
    sets = {"measurements": "measurements", "studies": "params:bench"}
    training = {
        "sets": "sets",
        "candidates": "candidates",
        "real": "real",
        "model": "base_model",
        "adapter_in": "base_adapter",
        "workspace": "workspace",
        "finetune": "params:finetune",
        "studies": "params:bench",
        "resources": "params:resources",
    }
    if later:
        sets["later_scores"] = "later_scores"
        training |= {name: name for name in ("later_candidates", "later_adapter_in")}
    measured = {
        "test_prompts": "test_prompts",
        **adapters,
        "evaluation": "params:evaluate",
        "metrics": "params:metrics",
        "studies": "params:bench",
    }
    return _stage(
        "arms",
        Node(compose_sets, sets, "sets", name="compose_sets"),
        Node(
            encode_real_pictures,
            ["sets", "base_model", "params:bench", "params:resources"],
            "real",
            name="encode_real_pictures",
        ),
        Node(train_arms, training, "trained", name="train_arms"),
        Node(
            merge_arms,
            ["trained", "base_model", "workspace", "params:bench"],
            "merged",
            name="merge_arms",
        ),
        Node(
            measure_arms,
            measured | {"workspace": "workspace", "resources": "params:resources"},
            "measured",
            name="measure_arms",
        ),
        Node(
            tabulate,
            measured | {"shards": "measured", "sets": "sets"},
            ["results", "claims", "set_facts"],
            name="tabulate",
        ),
    )


def _report() -> Pipeline:
    return _stage(
        "page",
        Node(
            draw_studies,
            ["results", "params:metrics", "params:bench"],
            "figures",
            name="draw_studies",
        ),
        Node(
            write_studies_page,
            [
                "results",
                "claims",
                "set_facts",
                "figures",
                "rank_figure",
                "run_record",
                "params:metrics",
                "params:prompts",
                "params:bench",
            ],
            "page",
            name="write_studies_page",
        ),
    )


def _stage(name: str, *nodes: Node) -> Pipeline:
    return Pipeline(
        list(nodes), namespace=name, prefix_datasets_with_namespace=False, tags=["studies", name]
    )
