"""`kedro status`: what would run, and why."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import click
from kedro.framework.cli.utils import env_option
from kedro.framework.project import pipelines

from mitune.cli.catalogs import run_catalog
from mitune.cli.options import params_option, pipeline_option
from mitune.hooks.lineage import open_plan
from mitune.lineage.plan import State

_COLOURS = {"fresh": "green", "stale": "yellow", "missing": "red"}


@click.command()
@env_option
@pipeline_option
@params_option
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@click.pass_obj
def status(project: Any, env: str | None, pipeline: str, params: Any, as_json: bool) -> None:
    """Show every node as fresh, stale or missing, and why."""
    with run_catalog(project, env, params) as catalog:
        plan = open_plan(catalog, [pipeline])
        states = [plan.state(node) for node in pipelines[pipeline].nodes]
    if as_json:
        click.echo(json.dumps([asdict(state) for state in states], indent=1))
        return
    for state in states:
        _show(state)
    due = sum(state.status != "fresh" for state in states)
    click.echo(
        f"\n{due} of {len(states)} nodes would run with --only-missing-outputs."
        if due
        else "\nNothing to do."
    )


def _show(state: State) -> None:
    label = click.style(f"{state.status:8}", fg=_COLOURS[state.status])
    first, *more = state.reasons or ("",)
    click.echo(f"{label}{state.node:45}{first}".rstrip())
    for reason in more:
        click.echo(" " * 53 + reason)
