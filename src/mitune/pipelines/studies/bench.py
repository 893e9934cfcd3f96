"""A bench: candidates, arms that choose and train, tables and figures of them."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from mitune.pipelines.agreement.nodes import compare
from mitune.pipelines.rank.pipeline import create_pipeline as rank_stage
from mitune.pipelines.studies.measuring import measure_arms
from mitune.pipelines.studies.merging import merge_arms
from mitune.pipelines.studies.pool import collect_more, paint_more
from mitune.pipelines.studies.real import encode_real_pictures
from mitune.pipelines.studies.report import draw_studies
from mitune.pipelines.studies.sets import compose_sets
from mitune.pipelines.studies.table import tabulate
from mitune.pipelines.studies.training import train_arms

_LATER = ("later_candidates", "later_adapter_in")


def create_bench(whole: bool) -> Pipeline:
    """prompts, test_prompts -> results, claims, set_facts, figures, comparison.

    `params:bench`: its settings. `whole`: whether there are candidates of a second round, and real
    pictures, besides.
    """
    return _pool() + rank_stage() + _replays() + _arms(whole) + _measured()


def _pool() -> Pipeline:
    images, made_by = "params:bench.images_per_prompt", ["base_model", "image_source"]
    painting = ["prompts", *made_by, "base_adapter", "workspace", "params:generate", images]
    collecting = ["candidates", "prompts", *made_by, "base_adapter", "params:generate", images]
    return _stage(
        "pool",
        Node(paint_more, [*painting, "params:resources"], "candidates", name="paint_more"),
        Node(collect_more, collecting, "scores", name="collect_more"),
    )


def _replays() -> Pipeline:
    """Other windows and numbers of draws, from the increments that candidates keep."""
    given = ["candidates", "measurements", "params:study.replay", "params:metrics"]
    return _stage("rank", Node(compare, given, "comparison", name="replay"))


def _arms(whole: bool) -> Pipeline:
    composing = {"measurements": "measurements", "studies": "params:bench"}
    training = {
        "sets": "sets",
        "candidates": "candidates",
        "model": "base_model",
        "adapter_in": "base_adapter",
        "workspace": "workspace",
        "finetune": "params:finetune",
        "studies": "params:bench",
        "resources": "params:resources",
    }
    nodes = []
    if whole:
        encoding = ["sets", "base_model", "params:bench", "params:resources"]
        nodes.append(Node(encode_real_pictures, encoding, "real", name="encode_real_pictures"))
        composing["later_scores"] = "later_scores"
        training |= {name: name for name in ("real", *_LATER)}
    merging = ["trained", "base_model", "workspace", "params:bench"]
    return _stage(
        "arms",
        Node(compose_sets, composing, "sets", name="compose_sets"),
        *nodes,
        Node(train_arms, training, "trained", name="train_arms"),
        Node(merge_arms, merging, "merged", name="merge_arms"),
    )


def _measured() -> Pipeline:
    adapters = {"trained": "trained", "merged": "merged", "model": "base_model"}
    given = adapters | {
        "test_prompts": "test_prompts",
        "evaluation": "params:evaluate",
        "metrics": "params:metrics",
        "studies": "params:bench",
    }
    painting = given | {"workspace": "workspace", "resources": "params:resources"}
    drawn = ["results", "params:metrics", "params:bench"]
    return _stage(
        "tables",
        Node(measure_arms, painting, "measured", name="measure_arms"),
        Node(
            tabulate,
            given | {"shards": "measured", "sets": "sets"},
            ["results", "claims", "set_facts"],
            name="tabulate",
        ),
        Node(draw_studies, drawn, "figures", name="draw_studies"),
    )


def _stage(name: str, *nodes: Node) -> Pipeline:
    return Pipeline(
        list(nodes), namespace=name, prefix_datasets_with_namespace=False, tags=["studies", name]
    )
