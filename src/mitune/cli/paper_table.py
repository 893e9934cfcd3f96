"""`kedro paper-table`: our rows beside published ones."""

from __future__ import annotations

from typing import Any

import click
from kedro.framework.cli.utils import env_option
from pydantic import TypeAdapter, ValidationError

from mitune.cli.catalogs import disk_catalog
from mitune.errors import UserError
from mitune.paper_tables import Comparison, for_table
from mitune.paper_tables.text import as_text


@click.command(name="paper-table")
@click.argument("campaign")
@env_option
@click.option("--table", default="", help="Of one published table, and all of it: mitune_table01.")
@click.pass_obj
def paper_table(project: Any, campaign: str, env: str | None, table: str) -> None:
    """Put our rows of CAMPAIGN beside published ones of the same metric, scale and prompts."""
    catalog, _ = disk_catalog(project, env, {"campaign": campaign})
    if not catalog.exists("published_comparison"):
        raise click.ClickException(f"campaign {campaign}: no report; run its pipeline `report`")
    try:
        found = catalog.load("published_comparison")
        comparison = TypeAdapter(Comparison).validate_python(found)
    except ValidationError:
        raise click.ClickException(
            f"campaign {campaign}: published_comparison is damaged; run its pipeline `report` again"
        ) from None
    panels = comparison.panels
    if table:
        try:
            panels = for_table(table, comparison)
        except UserError as error:
            raise click.ClickException(str(error)) from None
    for panel in panels:
        click.echo("\n".join(as_text(panel)) + "\n")
    for metric in comparison.apart:
        click.echo(f"beside no published figure: {metric}")
