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
@click.option(
    "--devices",
    type=click.IntRange(1),
    multiple=True,
    help="Also how long on so many devices like the one here; may be given several times.",
)
@click.option("--spread", default=0.05, show_default=True, help="Of a job's time, as a share.")
@click.option("--failures", default=0.001, show_default=True, help="Per device and hour.")
@click.pass_obj
def cost(
    project: Any,
    env: str | None,
    pipeline: str,
    params: Any,
    devices: tuple[int, ...],
    spread: float,
    failures: float,
) -> None:
    """Count what a run will compute and write, time a few network calls, and run nothing."""
    from mitune.jobs.schedule import Conditions
    from mitune.pipelines.shared.cost import cost_of, on_devices, total
    from mitune.pipelines.shared.speed import calibrate

    with run_catalog(project, env, params) as catalog:
        try:
            speed = calibrate(catalog)
            costs = cost_of(pipelines[pipeline].nodes, catalog, speed)
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
    if not devices:
        return
    conditions = Conditions(speed.start, spread, failures)
    click.echo(f"\n{'devices':>7}{'time':>14}{'at work':>9}{'lost':>7}{'starting':>10}")
    for count in devices:
        found = on_devices(costs, count, conditions)
        share = found.devices * found.seconds
        click.echo(
            f"{count:>7,}{_duration(found.seconds):>14}{found.efficiency:>9.0%}"
            f"{found.lost / share:>7.1%}{found.started / share:>10.1%}"
        )
    jobs = max(len(cost.jobs) for cost in costs)
    click.echo(
        f"\nSimulated; {speed.start:.1f} s to open the model on each device, at every stage."
    )
    click.echo(f"No stage has more than {jobs:,} jobs. Fine-tuning has one, on this machine.")


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"
