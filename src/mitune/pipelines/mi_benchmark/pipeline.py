"""Pipeline `mi_benchmark`."""

from kedro.pipeline import Node, Pipeline

from mitune.pipelines.mi_benchmark.nodes import draw_table, estimate, tabulate

_SETTINGS = "params:mi_benchmark"


def create_pipeline() -> Pipeline:
    """Forty tasks of known information, and what each estimator makes of them."""
    return Pipeline(
        [
            Node(
                estimate,
                [_SETTINGS, "workspace", "params:resources"],
                "mi_benchmark_estimates",
                name="mi_benchmark.estimate",
            ),
            Node(
                tabulate,
                ["mi_benchmark_estimates", _SETTINGS],
                "mi_benchmark_results",
                name="mi_benchmark.tabulate",
            ),
            Node(
                draw_table,
                "mi_benchmark_results",
                "mi_benchmark_figure",
                name="mi_benchmark.draw",
            ),
        ],
        tags="mi_benchmark",
    )
