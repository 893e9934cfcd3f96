"""Commands of the project, next to Kedro's own: one file each, imported when it is asked for.

`kedro --help` reads every file for its first line: what computes is imported by the commands that
compute, when they run.
"""

from __future__ import annotations

import warnings

import click

from mitune.cli.telling import TellingGroup

# `--pipeline` is what Kedro's users know.
warnings.filterwarnings("ignore", message="Option '--pipeline' is deprecated")


@click.group(
    name="mitune",
    cls=TellingGroup,
    lazy_subcommands={
        "compare": "mitune.cli.compare.compare",
        "cost": "mitune.cli.cost.cost",
        "coverage": "mitune.cli.coverage.coverage",
        "export-images": "mitune.cli.export_images.export_images",
        "lineage": "mitune.cli.lineage.lineage",
        "paper-table": "mitune.cli.paper_table.paper_table",
        "run": "mitune.cli.run.run",
        "status": "mitune.cli.status.status",
        "survey": "mitune.cli.survey.survey",
    },
)
def cli() -> None:
    """Commands of this project."""
