"""`kedro lineage`: where a result came from."""

from __future__ import annotations

from typing import Any

import click
from kedro.framework.cli.utils import env_option

from mitune.cli.catalogs import disk_catalog
from mitune.cli.options import params_option
from mitune.hooks.lineage import RECORDS
from mitune.lineage.plan import Plan
from mitune.lineage.records import Records


@click.command()
@click.argument("artifact")
@env_option
@params_option
@click.pass_obj
def lineage(project: Any, artifact: str, env: str | None, params: Any) -> None:
    """Print where ARTIFACT (`round_2.adapter`, `report`) came from, back to prompts and model."""
    catalog, _ = disk_catalog(project, env, params)
    plan = Plan({}, catalog, Records(catalog.load(RECORDS)))
    if plan.record(artifact) is None:
        raise click.ClickException(
            f"{artifact}: nothing is recorded; `kedro catalog describe-datasets` lists names, "
            "`kedro status` what is there"
        )
    _trace(plan, artifact, 0, set())


def _trace(plan: Plan, artifact: str, depth: int, seen: set[str]) -> None:
    margin = "  " * depth
    record = plan.record(artifact)
    if record is None:
        click.echo(f"{margin}{artifact}  (given)")
        return
    if artifact in seen:
        click.echo(f"{margin}{artifact}  {record.digest}  (above)")
        return
    seen.add(artifact)
    ingredients = record.ingredients
    click.echo(
        f"{margin}{click.style(artifact, bold=True)}  {record.digest}  by {ingredients.node}"
        f"  {record.written}  revision {record.revision[:12]}{record.revision[40:]}"
        f"  run {record.run_id}"
    )
    for name, value in ingredients.parameters.items():
        click.echo(f"{margin}    {name} = {value}")
    for name, digest in ingredients.inputs.items():
        if plan.record(name) is None:
            click.echo(f"{margin}  {name}  {digest}  (given)")
        else:
            _trace(plan, name, depth + 1, seen)
