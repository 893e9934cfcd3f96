"""Pipeline `report`."""

from kedro.pipeline import Node, Pipeline

from mitune.arm import Arm
from mitune.pipelines.guidance_curve.pipeline import create_pipeline as guidance_curve
from mitune.pipelines.report.dependence import trace_metrics
from mitune.pipelines.report.facts import page_facts
from mitune.pipelines.report.nodes import summarise, write_page
from mitune.pipelines.report.published import compare_published
from mitune.pipelines.report.rewards import describe_arms, note_reward


def create_pipeline(arms: tuple[Arm, ...]) -> Pipeline:
    """Evaluations, adapters and `shown` of `arms` -> summary, headline, guidance_curve, report.

    The first is the base and the last the result.
    """
    trained = [arm for arm in arms if arm.trained]
    page = Pipeline(
        [
            *(
                Node(
                    note_reward,
                    inputs=[f"params:{arm.composition}", f"params:{arm.finetuning}"],
                    outputs=f"{arm.name}.reward_used",
                    name=f"{arm.name}.note_reward",
                )
                for arm in trained
            ),
            Node(
                describe_arms(arms),
                inputs=[f"{arm.name}.reward_used" for arm in trained],
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
                    "run_record",
                    "published_comparison",
                    "metric_provenance",
                    "survey_result",
                    "guidance_curve",
                    "guidance_curve_figure",
                    "alignment_figure",
                    f"{arms[0].name}.evaluation",
                    f"{arms[-1].name}.evaluation",
                    *(f"{arm.name}.shown" for arm in arms),
                ],
                outputs="report",
                name="write_report",
            ),
        ],
        tags="report",
    )
    rounds = tuple(arm for arm in arms if arm.round is not None)
    return Pipeline(
        page + guidance_curve(rounds), namespace="report", prefix_datasets_with_namespace=False
    )
