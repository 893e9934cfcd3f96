"""`kedro compare`: two campaigns, model by model."""

from __future__ import annotations

from typing import Any

import click
import pandas as pd
from kedro.framework.cli.utils import env_option
from kedro.io import CatalogProtocol

from mitune.cli.catalogs import disk_catalog
from mitune.comparison import mean, paired
from mitune.hooks.lineage import RECORDS
from mitune.lineage.plan import Plan
from mitune.lineage.records import Records
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
    scored: list[dict[str, dict[str, str]]] = []
    for name in campaigns:
        catalog, parameters = disk_catalog(project, env, {"campaign": name})
        metric = metric or str(next(iter(parameters["metrics"]["scorers"])))
        evaluated.append(_evaluations(catalog))
        scored.append({model: _scored_by(catalog, model, metric) for model in evaluated[-1]})
        if not evaluated[-1]:
            raise click.ClickException(f"campaign {name}: nothing is evaluated yet")
    assert metric is not None
    first, second = evaluated
    for model in first.keys() & second.keys():
        _check_metric(metric, campaigns, scored[0][model], scored[1][model])
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


def _scored_by(catalog: CatalogProtocol, model: str, metric: str) -> dict[str, str]:
    """What the numbers of a metric depend on, as it is recorded of a model's evaluation."""
    name = f"{model}.evaluation"
    record = Plan({}, catalog, Records(catalog.load(RECORDS))).record(name)
    if record is None:
        raise click.ClickException(
            f"{name}: how it was scored is not recorded; run its stage `evaluate` again"
        )
    start = f"params:metrics.scorers.{metric}."
    parameters, inputs = record.ingredients.parameters, record.ingredients.inputs
    given = {
        field.removeprefix(start): str(value)
        for field, value in parameters.items()
        if field.startswith(start)
    }
    contents = {f"contents of {field}": inputs.get(value, "") for field, value in given.items()}
    return given | contents


def _check_metric(
    metric: str, campaigns: tuple[str, str], first: dict[str, str], second: dict[str, str]
) -> None:
    """Numbers of two metrics of one name are not put side by side. Raises ClickException."""
    for field in sorted(first.keys() | second.keys()):
        was = [side.get(field, "not there") for side in (first, second)]
        if was[0] != was[1]:
            raise click.ClickException(
                f"{metric}: {field} is {was[0]} in {campaigns[0]}, {was[1]} in {campaigns[1]}: "
                "these are numbers of two metrics; evaluate one of the campaigns again"
            )


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
