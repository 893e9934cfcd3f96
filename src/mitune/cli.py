"""Commands of the project, next to Kedro's own: `kedro status`, `kedro compare` and others."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import pandas as pd
from kedro.framework.cli.utils import _split_params, env_option
from kedro.framework.project import pipelines
from kedro.framework.session import KedroSession
from kedro.io import CatalogProtocol, DatasetError
from pydantic import TypeAdapter

from mitune.errors import UserError
from mitune.evaluation import mean, paired
from mitune.hooks.lineage import open_plan
from mitune.lineage.plan import Plan, State
from mitune.metrics.coverage import AsksDetector, label_coverage, read_labels
from mitune.paper_tables import Comparison, for_table
from mitune.paper_tables.text import as_text
from mitune.pipeline_registry import CONTROLS, MAX_ROUNDS
from mitune.pipelines.evaluate.export import export_images
from mitune.pipelines.shared.cost import calibrate, cost_of, total
from mitune.statistics import Interval

# `--pipeline` is what Kedro's users know.
warnings.filterwarnings("ignore", message="Option '--pipeline' is deprecated")
_COLOURS = {"fresh": "green", "stale": "yellow", "missing": "red"}


def _known(context: click.Context, option: click.Parameter, name: str) -> str:
    if name not in pipelines:
        raise click.BadParameter(f"no pipeline {name!r}; choose of {', '.join(pipelines)}")
    return name


_pipeline = click.option(
    "--pipeline", "-p", default="__default__", callback=_known, help="Name of the pipeline."
)
_params = click.option(
    "--params", default="", callback=_split_params, help="As of `kedro run`: name=value,…"
)


@click.group(name="mitune")
def cli() -> None:
    """Commands of this project."""


@cli.command()
@env_option
@_pipeline
@_params
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@click.pass_obj
def status(metadata: Any, env: str | None, pipeline: str, params: Any, as_json: bool) -> None:
    """Show every node as fresh, stale or missing, and why."""
    with _catalog(metadata, env, params) as catalog:
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


@cli.command()
@click.argument("artifact")
@env_option
@_params
@click.pass_obj
def lineage(metadata: Any, artifact: str, env: str | None, params: Any) -> None:
    """Print where ARTIFACT (`round_2.adapter`, `report`) came from, back to prompts and model."""
    with _catalog(metadata, env, params) as catalog:
        plan = open_plan(catalog, [])
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
    made = record.ingredients
    click.echo(
        f"{margin}{click.style(artifact, bold=True)}  {record.digest}  by {made.node}"
        f"  {record.written}  revision {record.revision[:12]}{record.revision[40:]}"
        f"  run {record.run_id}"
    )
    for name, value in made.parameters.items():
        click.echo(f"{margin}    {name} = {value}")
    for name, digest in made.inputs.items():
        if plan.record(name) is None:
            click.echo(f"{margin}  {name}  {digest}  (given)")
        else:
            _trace(plan, name, depth + 1, seen)


@cli.command()
@click.argument("campaigns", nargs=2)
@env_option
@click.option("--metric", default=None, help="Default: the first of the metrics.")
@click.pass_obj
def compare(metadata: Any, campaigns: tuple[str, str], env: str | None, metric: str | None) -> None:
    """Compare two CAMPAIGNS, model by model, paired by prompt where they were tested alike."""
    found: list[dict[str, pd.DataFrame]] = []
    chosen = metric or ""
    for name in campaigns:
        with _catalog(metadata, env, {"campaign": name}) as catalog:
            chosen = chosen or next(iter(catalog.load("params:metrics").scorers))
            found.append(_evaluations(catalog))
        if not found[-1]:
            raise click.ClickException(f"campaign {name}: nothing is evaluated yet")
    first, second = found
    click.echo(f"{chosen}, mean (95 % interval over prompts)\n")
    click.echo(f"{'model':12}{campaigns[0]:>30}{campaigns[1]:>30}{'difference':>30}")
    for model in dict.fromkeys([*first, *second]):
        shown = [_mean(side.get(model), chosen) for side in found]
        difference = ""
        if model in first and model in second and _paired(first[model], second[model]):
            both = {"second": second[model], "first": first[model]}
            difference = _interval(paired(both, "second", "first", chosen), sign="+")
        click.echo(f"{model:12}{shown[0]:>30}{shown[1]:>30}{difference:>30}")


@cli.command(name="paper-table")
@click.argument("campaign")
@env_option
@click.option("--table", default="", help="Of one published table, and all of it: mitune_table01.")
@click.pass_obj
def paper_table(metadata: Any, campaign: str, env: str | None, table: str) -> None:
    """Put our rows of CAMPAIGN beside published ones of the same metric, scale and prompts."""
    with _catalog(metadata, env, {"campaign": campaign}) as catalog:
        if not catalog.exists("published_comparison"):
            raise click.ClickException(f"campaign {campaign}: no report; run its pipeline `report`")
        found = TypeAdapter(Comparison).validate_python(catalog.load("published_comparison"))
    panels = found.panels
    if table:
        try:
            panels = for_table(table, found)
        except UserError as error:
            raise click.ClickException(str(error)) from None
    for panel in panels:
        click.echo("\n".join(as_text(panel)) + "\n")
    for metric in found.apart:
        click.echo(f"beside no published figure: {metric}")


@cli.command(name="export-images")
@click.argument("model")
@click.argument("folder", type=click.Path(path_type=Path))
@env_option
@_params
@click.option("--category", default=None, help="Of one alone, as T2I-CompBench's scripts take it.")
@click.pass_obj
def export(
    metadata: Any, model: str, folder: Path, env: str | None, params: Any, category: str | None
) -> None:
    """Write the test images of MODEL (`base`, `round_2`, `random_k`) to FOLDER, as PNG.

    In T2I-CompBench's layout, so that its scripts can score them, and with a manifest.
    """
    name = model.removesuffix(".test_images")
    if name not in _models():
        raise click.ClickException(f"no model {name!r}; choose of {', '.join(_models())}")
    with _catalog(metadata, env, params) as catalog:
        try:
            written = sum(export_images(catalog, name, folder, category))
        except (UserError, DatasetError) as error:
            raise click.ClickException(" ".join(str(error).split())) from None
    click.echo(f"{written} pictures in {folder}; score them with")
    where = f" --env={env}" if env else ""
    click.echo(f"kedro run{where} --pipeline=score --params=images={folder.absolute()}")


@cli.command()
@env_option
@_params
@click.option("--labels", type=click.Path(path_type=Path), help="Of a detector, one a line.")
@click.option("--list", "listed", is_flag=True, help="The prompts that can never score, too.")
@click.pass_obj
def coverage(
    metadata: Any, env: str | None, params: Any, labels: Path | None, listed: bool
) -> None:
    """Count the test prompts that metrics of boxes read, and that a detector has LABELS for."""
    with _catalog(metadata, env, params) as catalog:
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
                found = label_coverage(rows["prompt"], metric, known)
            except UserError as error:
                raise click.ClickException(str(error)) from None
            if found.empty:
                continue
            read = found["names"].map(len) > 0
            shown = f"{name:16}{category:16}{len(found):>8}{read.mean():>8.0%}"
            if labels:
                shown += f"{metric.label_match:>9}{found['covered'].mean():>9.0%}"
            click.echo(shown)
            never = found[~(found["covered"] if labels else read)] if listed else found[:0]
            for prompt, missing in zip(never["prompt"], never["missing"], strict=True):
                click.echo(f"    {prompt}  {', '.join(missing) or 'nothing read'}")


@cli.command()
@env_option
@_pipeline
@_params
@click.pass_obj
def cost(metadata: Any, env: str | None, pipeline: str, params: Any) -> None:
    """Count what a run will compute and write, time a few network calls, and run nothing."""
    with _catalog(metadata, env, params) as catalog:
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


def _evaluations(catalog: CatalogProtocol) -> dict[str, pd.DataFrame]:
    """Evaluations of a campaign, by model."""
    names = {model: f"{model}.evaluation" for model in _models()}
    return {model: catalog.load(name) for model, name in names.items() if catalog.exists(name)}


def _models() -> list[str]:
    return ["base", *CONTROLS, *(f"round_{r}" for r in range(1, MAX_ROUNDS + 1))]


def _paired(first: pd.DataFrame, second: pd.DataFrame) -> bool:
    return set(first["seed"]) == set(second["seed"])


def _mean(table: pd.DataFrame | None, metric: str) -> str:
    if table is None:
        return "–"
    if metric not in table:
        raise click.ClickException(f"no metric {metric!r}; choose of {', '.join(map(str, table))}")
    return _interval(mean(table, metric))


def _interval(found: Interval, sign: str = "") -> str:
    return f"{found.mean:{sign}.3f} ({found.low:{sign}.3f} to {found.high:{sign}.3f})"


@contextmanager
def _catalog(metadata: Any, env: str | None, params: Any) -> Iterator[CatalogProtocol]:
    with KedroSession.create(metadata.project_path, env=env, runtime_params=params) as session:
        yield session.load_context().catalog


def _show(state: State) -> None:
    label = click.style(f"{state.status:8}", fg=_COLOURS[state.status])
    first, *more = state.reasons or ("",)
    click.echo(f"{label}{state.node:45}{first}".rstrip())
    for reason in more:
        click.echo(" " * 53 + reason)
