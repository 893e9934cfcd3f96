"""Pipelines `survey_metrics`, `survey_methods` (what is shown) and `survey_analysis` (answers)."""

from collections.abc import Mapping

from kedro.pipeline import Node, Pipeline

from mitune.arm import Arm
from mitune.pipelines.survey_analysis.nodes import draw_shares, tabulate, write_page
from mitune.pipelines.survey_analysis.pictures import choose_pictures, gather_pictures
from mitune.survey.summary import summarise


def create_metrics_pictures() -> Pipeline:
    """Candidates of round 1 -> the pictures that MI and the metrics choose."""
    return Pipeline(
        [
            Node(
                choose_pictures,
                [
                    "round_1.candidates",
                    "round_1.measurements",
                    "base_model",
                    "params:survey",
                    "params:metrics",
                    "params:resources",
                ],
                "survey_metrics_pictures",
                name="survey.choose_pictures",
            )
        ],
        tags="survey",
    )


def create_methods_pictures(arms: tuple[Arm, ...]) -> Pipeline:
    """Samples of `arms` -> pictures of the same prompts and seeds."""
    return Pipeline(
        [
            Node(
                gather_pictures(arms),
                [f"{arm.name}.samples" for arm in arms],
                "survey_methods_pictures",
                name="survey.gather_pictures",
            )
        ],
        tags="survey",
    )


def create_analysis() -> Pipeline:
    """survey_answers -> tables, figure, page, and a summary that the report finds."""
    tables = ["survey_shares", "survey_differences", "survey_strengths", "survey_agreement"]
    return Pipeline(
        [
            Node(tabulate, "survey_answers", tables, name="survey.tabulate"),
            Node(draw_shares, "survey_shares", "survey_figure", name="survey.draw"),
            Node(summarise, tables[:3], "survey_summary", name="survey.summarise"),
            Node(
                write_page,
                [*tables, "survey_figure"],
                "survey_page",
                name="survey.write_page",
            ),
        ],
        tags="survey",
    )


def create_pipelines(arms: Mapping[int, tuple[Arm, ...]], default: int) -> dict[str, Pipeline]:
    """By name; `arms` by the rounds that were run, of which `default` has no suffix."""
    return {
        "survey_metrics": create_metrics_pictures(),
        "survey_methods": create_methods_pictures(arms[default]),
        **{f"survey_methods_r{r}": create_methods_pictures(m) for r, m in arms.items()},
        "survey_analysis": create_analysis(),
    }
