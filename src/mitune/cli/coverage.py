"""`kedro coverage`: which prompts a detector can score at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from kedro.framework.cli.utils import env_option
from kedro.io import DatasetError

from mitune.cli.catalogs import run_catalog
from mitune.cli.options import params_option
from mitune.errors import UserError


@click.command()
@env_option
@params_option
@click.option("--labels", type=click.Path(path_type=Path), help="Of a detector, one a line.")
@click.option("--list", "listed", is_flag=True, help="The prompts that can never score, too.")
@click.pass_obj
def coverage(project: Any, env: str | None, params: Any, labels: Path | None, listed: bool) -> None:
    """Count the test prompts that metrics of boxes read, and that a detector has LABELS for."""
    from mitune.metrics.coverage import AsksDetector, label_coverage, read_labels

    with run_catalog(project, env, params) as catalog:
        try:
            scorers = catalog.load("params:metrics").scorers
            known = read_labels(labels) if labels else ()
            prompts = catalog.load("test_prompts")
        except (UserError, DatasetError) as error:
            raise click.ClickException(" ".join(str(error).split())) from None
    asking = {name: m for name, m in scorers.items() if isinstance(m, AsksDetector)}
    if not asking:
        raise click.ClickException(
            f"metrics.scorers: {', '.join(scorers)} look for no boxes; add spatial_2d_ovd, "
            "spatial_3d_ovd, numeracy_ovd or three_in_one (docs/metrics.md)"
        )
    known_too = f"{'labels':>9}{'covered':>9}" if labels else ""
    click.echo(f"{'metric':16}{'category':16}{'prompts':>8}{'read':>8}{known_too}")
    for name, metric in asking.items():
        for category, rows in prompts.groupby("category", sort=False):
            try:
                table = label_coverage(rows["prompt"], metric, known)
            except UserError as error:
                raise click.ClickException(str(error)) from None
            if table.empty:
                continue
            read = table["names"].map(len) > 0
            shown = f"{name:16}{category:16}{len(table):>8}{read.mean():>8.0%}"
            if labels:
                shown += f"{metric.label_match:>9}{table['covered'].mean():>9.0%}"
            click.echo(shown)
            never = table[~(table["covered"] if labels else read)] if listed else table[:0]
            for prompt, missing in zip(never["prompt"], never["missing"], strict=True):
                click.echo(f"    {prompt}  {', '.join(missing) or 'nothing read'}")
