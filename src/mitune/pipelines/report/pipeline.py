"""Pipeline `report`."""

from kedro.pipeline import Node, Pipeline

from mitune.pipelines.report.dependence import trace_metrics
from mitune.pipelines.report.facts import page_facts
from mitune.pipelines.report.nodes import summarise, write_page
from mitune.pipelines.report.published import compare_published


def create_pipeline(models: tuple[str, ...]) -> Pipeline:
    """Evaluations and samples of `models` -> summary, headline, report; the first is the base."""
    return Pipeline(
        [
            Node(
                summarise(models),
                inputs=["params:metrics", *(f"{model}.evaluation" for model in models)],
                outputs=["summary", "headline", "alignment_figure"],
                name="summarise",
            ),
            Node(
                compare_published,
                inputs=["summary", "params:metrics", "params:prompts"],
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
                write_page(models),
                inputs=[
                    "page_facts",
                    "summary",
                    "headline",
                    "timings",
                    "provenance",
                    "published_comparison",
                    "metric_provenance",
                    "round_1.agreement",
                    "alignment_figure",
                    "round_1.agreement_figure",
                    "round_1.rank_figure",
                    "round_1.training_figure",
                    "round_1.contact_sheet",
                    *(f"{model}.samples" for model in models),
                ],
                outputs="report",
                name="write_report",
            ),
        ],
        tags="report",
    )
