"""Pipeline `compare`."""

from collections.abc import Sequence

from kedro.pipeline import Node, Pipeline

from mitune.arm import Arm
from mitune.pipelines.arms import BASE, ROUNDS
from mitune.pipelines.compare import choice, guided, search
from mitune.pipelines.compare.facts import describe_base, describe_method
from mitune.pipelines.compare.report import draw_methods, write_page
from mitune.pipelines.compare.table import tabulate
from mitune.pipelines.compose.pipeline import create_pipeline as compose_stage
from mitune.pipelines.evaluate.pipeline import create_pipeline as evaluate_stage
from mitune.pipelines.prompts.pipeline import create_pipeline as prompts
from mitune.pipelines.quality.nodes import count_wins
from mitune.pipelines.quality.pipeline import embedding
from mitune.pipelines.rounds import create_arm

_CANDIDATES = ("generate.generate_candidates", "generate.collect_scores", "rank.measure_candidates")
_COMMON, _TUNING = "params:finetune", "params:compare.tuning"
_EVALUATE, _METRICS, _RESOURCES = "params:evaluate", "params:metrics", "params:resources"
_TESTED = ["compared", "evaluation", "guided_evaluation", "features", "guided_features"]
_TABLES = ["compare_results", "compare_differences", "compare_costs"]


def create_pipeline(methods: tuple[Arm, ...]) -> Pipeline:
    """For each method: its best point, its best guidance, a test; then all side by side.

    Prompts and candidates are those of round 1, by the same nodes.
    """
    arms = (BASE, *methods)
    first = create_arm(ROUNDS[0])
    made_by = (f"{ROUNDS[0].name}.{node}" for node in _CANDIDATES)
    stages = sum((_arm(arm) for arm in arms), prompts() + first.only_nodes(*made_by))
    return stages + embedding(arms) + _report(arms)


def _arm(arm: Arm) -> Pipeline:
    """Compose, search, evaluate, guided; the base has nothing to choose or to search."""
    stages = evaluate_stage() + _stage("guided", _guided(arm))
    outer = {name: name for name in ("test_prompts", "tuning_prompts", "base_model", "workspace")}
    if not arm.trained:
        return Pipeline(
            stages,
            namespace=arm.name,
            inputs=outer | {"adapter": arm.adapter},
            parameters=_unchanged(_TUNING, _EVALUATE, _METRICS, "params:quality", _RESOURCES),
        )
    stages += compose_stage() + _stage("search", _search(arm))
    given = {name: f"{arm.candidates_of}.{name}" for name in ("candidates", "scores")}
    return Pipeline(
        stages,
        namespace=arm.name,
        inputs=outer | given | {"adapter_in": arm.adapter_in},
        parameters=_unchanged(
            _COMMON, _TUNING, _EVALUATE, _METRICS, "params:quality", _RESOURCES,
            f"params:{arm.finetuning}",
        )
        | {"params:compose": f"params:{arm.composition}"},
    )  # fmt: skip


def _search(arm: Arm) -> list[Node]:
    method, asked = f"params:{arm.finetuning}", [_TUNING, _EVALUATE, _METRICS]
    given = ["tuning_prompts", "base_model"]
    return [
        Node(
            search.try_points,
            [
                "finetuning_set", "candidates", *given, "adapter_in", "workspace",
                _COMMON, method, *asked, _RESOURCES,
            ],
            ["points", "search_cells"],
            name="try_points",
        ),
        Node(
            choice.choose_point,
            ["points", "search_cells", *given, "workspace", _COMMON, method, *asked],
            ["search", "adapter", "training_log"],
            name="choose_point",
        ),
    ]  # fmt: skip


def _guided(arm: Arm) -> list[Node]:
    """At the model's own best guidance; what it is and cost, once that is known."""
    model, asked = ["base_model", "adapter"], [_TUNING, _EVALUATE, _METRICS]
    images = ["guided_images", "test_prompts", *model, _EVALUATE, "guidance"]
    describe = describe_method(arm) if arm.trained else describe_base(arm)
    described_by = ["params:compose", _COMMON, f"params:{arm.finetuning}", "search", "training_log"]
    return [
        Node(
            guided.paint_scales,
            ["tuning_prompts", *model, "workspace", *asked, _RESOURCES],
            "guidance_cells",
            name="paint_scales",
        ),
        Node(
            guided.choose_guidance,
            ["guidance_cells", "tuning_prompts", *model, *asked],
            "guidance",
            name="choose_guidance",
        ),
        Node(
            guided.generate_guided_images,
            ["test_prompts", *model, "workspace", _EVALUATE, "guidance", _RESOURCES],
            "guided_images",
            name="generate_guided_images",
        ),
        Node(
            guided.evaluate_guided,
            [*images, _METRICS, _RESOURCES],
            "guided_evaluation",
            name="evaluate_guided",
        ),
        Node(
            guided.embed_guided,
            [*images, "params:quality", _RESOURCES],
            "guided_features",
            name="embed_guided",
        ),
        Node(
            describe,
            [*(described_by if arm.trained else []), "guidance"],
            "compared",
            name="describe",
        ),
    ]


def _report(arms: Sequence[Arm]) -> Pipeline:
    facts = [f"{arm.name}.compared" for arm in arms]
    tested = [f"{arm.name}.{part}" for arm in arms for part in _TESTED]
    shown = [_METRICS, "params:quality"]
    return _stage(
        "compare",
        [
            Node(
                tabulate(tuple(arms)),
                [*shown, "reference_features", *tested],
                _TABLES,
                name="tabulate",
            ),
            Node(
                count_wins(tuple(arms)),
                [_METRICS, *(f"{arm.name}.evaluation" for arm in arms)],
                "compare_win_rates",
                name="count_wins",
            ),
            Node(
                draw_methods,
                [*shown, "compare_results", *facts],
                "compare_figure",
                name="draw_methods",
            ),
            Node(
                write_page,
                [*shown, *_TABLES, "compare_win_rates", "compare_figure", *facts],
                "compare_report",
                name="write_page",
            ),
        ],
    )


def _stage(name: str, nodes: list[Node]) -> Pipeline:
    return Pipeline(nodes, namespace=name, prefix_datasets_with_namespace=False, tags=name)


def _unchanged(*names: str) -> dict[str, str]:
    return {name: name for name in names}
