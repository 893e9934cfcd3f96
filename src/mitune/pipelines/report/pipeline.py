"""Pipeline `report`."""

from kedro.pipeline import Node, Pipeline

from mitune.arm import Arm
from mitune.pipelines.report.dependence import trace_metrics
from mitune.pipelines.report.facts import page_facts
from mitune.pipelines.report.nodes import summarise, write_page
from mitune.pipelines.report.published import compare_published
from mitune.pipelines.report.rewards import describe_arms


def create_pipeline(arms: tuple[Arm, ...]) -> Pipeline:
    """Evaluations and samples of `arms` -> summary, headline, report.

    The first is the base and the last the result; candidates and training are shown of the first
    that has both of its own.
    """
    shown = next(arm.name for arm in arms if arm.trained and arm.candidates_of is None)
    return Pipeline(
        [
            Node(
                describe_arms(arms),
                inputs=[f"{arm.name}.reward_used" for arm in arms if arm.trained],
                outputs="arms",
                name="describe_arms",
            ),
            Node(
                summarise(arms),
                inputs=["params:metrics", "arms", *(f"{arm.name}.evaluation" for arm in arms)],
                outputs=["summary", "headline", "alignment_figure"],
                name="summarise",
            ),
            Node(
                compare_published,
                inputs=["summary", "arms", "params:metrics", "params:prompts"],
                outputs="published_comparison",
                name="compare_published",
            ),
            Node(
                trace_metrics,
                inputs="params:metrics",
                outputs="metric_provenance",
                name="trace_metrics",
            ),
            Node(
                page_facts,
                inputs=[
                    "prompts",
                    "base_model",
                    "params:generate",
                    "params:finetune",
                    "params:compose",
                ],
                outputs="page_facts",
                name="page_facts",
            ),
            Node(
                write_page(arms),
                inputs=[
                    "params:metrics",
                    "arms",
                    "page_facts",
                    "summary",
                    "headline",
                    "timings",
                    "provenance",
                    "published_comparison",
                    "metric_provenance",
                    f"{shown}.agreement",
                    "guidance_curve",
                    "guidance_curve_figure",
                    "alignment_figure",
                    f"{shown}.agreement_figure",
                    f"{shown}.rank_figure",
                    f"{shown}.training_figure",
                    f"{shown}.contact_sheet",
                    f"{arms[0].name}.evaluation",
                    f"{arms[-1].name}.evaluation",
                    *(f"{arm.name}.samples" for arm in arms),
                ],
                outputs="report",
                name="write_report",
            ),
        ],
        tags="report",
    )
