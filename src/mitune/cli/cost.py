"""`kedro cost`: what a run will take, before it is started."""

from __future__ import annotations

from typing import Any

import click
from kedro.framework.cli.utils import env_option
from kedro.framework.project import pipelines
from kedro.io import DatasetError

from mitune.cli.catalogs import run_catalog
from mitune.cli.options import params_option, pipeline_option
from mitune.errors import UserError


@click.command()
@env_option
@pipeline_option
@params_option
@click.pass_obj
def cost(project: Any, env: str | None, pipeline: str, params: Any) -> None:
    """Count what a run will compute and write, time a few network calls, and run nothing."""
    from mitune.pipelines.shared.cost import calibrate, cost_of, total

    with run_catalog(project, env, params) as catalog:
        try:
            costs = cost_of(pipelines[pipeline].nodes, catalog, calibrate(catalog))
        except (UserError, DatasetError) as error:
            raise click.ClickException(str(error)) from None
    click.echo(
        f"{'node':42}{'images':>9}{'evaluations':>14}{'trained on':>12}{'MB':>10}{'time':>14}"
    )
    for row in [*costs, total(costs)]:
        click.echo(
            f"{row.node:42}{row.images:>9,}{row.evaluations:>14,}{row.training:>12,}"
            f"{row.bytes / 1e6:>10,.1f}{_duration(row.seconds):>14}"
        )
    click.echo("\nEvaluations and trained on: latents that pass the network, without and with")
    click.echo("gradients. Time leaves out loading, decoding, metrics and drawing.")


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"
