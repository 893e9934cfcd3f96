"""`kedro compare`: two campaigns, model by model."""

from __future__ import annotations

from typing import Any

import click
import pandas as pd
from kedro.framework.cli.utils import env_option
from kedro.io import CatalogProtocol

from mitune.cli.catalogs import disk_catalog
from mitune.comparison import mean, paired
from mitune.pipelines.arms import ARMS
from mitune.statistics import Interval


@click.command()
@click.argument("campaigns", nargs=2)
@env_option
@click.option("--metric", default=None, help="Default: the first of the metrics.")
@click.pass_obj
def compare(project: Any, campaigns: tuple[str, str], env: str | None, metric: str | None) -> None:
    """Compare two CAMPAIGNS, model by model, paired by prompt where they were tested alike."""
    evaluated: list[dict[str, pd.DataFrame]] = []
    for name in campaigns:
        catalog, parameters = disk_catalog(project, env, {"campaign": name})
        metric = metric or str(next(iter(parameters["metrics"]["scorers"])))
        evaluated.append(_evaluations(catalog))
        if not evaluated[-1]:
            raise click.ClickException(f"campaign {name}: nothing is evaluated yet")
    assert metric is not None
    first, second = evaluated
    click.echo(f"{metric}, mean (95 % interval over prompts)\n")
    click.echo(f"{'model':12}{campaigns[0]:>30}{campaigns[1]:>30}{'difference':>30}")
    for model in dict.fromkeys([*first, *second]):
        shown = [_mean(side.get(model), metric) for side in evaluated]
        difference = ""
        if model in first and model in second and _alike(first[model], second[model]):
            both = {"second": second[model], "first": first[model]}
            difference = _interval(paired(both, "second", "first", metric), sign="+")
        click.echo(f"{model:12}{shown[0]:>30}{shown[1]:>30}{difference:>30}")


def _evaluations(catalog: CatalogProtocol) -> dict[str, pd.DataFrame]:
    """Evaluations of a campaign, by model."""
    names = {model: f"{model}.evaluation" for model in ARMS}
    return {model: catalog.load(name) for model, name in names.items() if catalog.exists(name)}


def _alike(first: pd.DataFrame, second: pd.DataFrame) -> bool:
    return set(first["seed"]) == set(second["seed"])


def _mean(table: pd.DataFrame | None, metric: str) -> str:
    if table is None:
        return "–"
    if metric not in table:
        raise click.ClickException(f"no metric {metric!r}; choose of {', '.join(map(str, table))}")
    return _interval(mean(table, metric))


def _interval(interval: Interval, sign: str = "") -> str:
    return f"{interval.mean:{sign}.3f} ({interval.low:{sign}.3f} to {interval.high:{sign}.3f})"
