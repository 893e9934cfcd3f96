"""`kedro survey`: ask people, exchange their answers, plan how many to ask."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from kedro.framework.cli.utils import env_option
from kedro.framework.project import pipelines
from kedro.framework.session import KedroSession
from kedro.io import CatalogProtocol, DatasetError

from mitune.cli.catalogs import run_catalog
from mitune.errors import UserError
from mitune.pipelines.arms import MAX_ROUNDS

if TYPE_CHECKING:
    from mitune.survey.row import Kind
    from mitune.survey.storage import Answers
    from mitune.survey.study import Study

_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_COUNTS = (5, 10, 20, 40, 80, 160)


@click.group(name="survey")
def survey() -> None:
    """Ask people which pictures show what the prompt says, as MI-TUNE did."""


def _serving(command: Callable[..., None]) -> Callable[..., None]:
    """What `metrics` and `methods` have in common."""
    for option in (
        click.option("--code", default="", help="Access code that starting a survey asks for."),
        click.option("--port", default=8000, show_default=True, help="Where to listen."),
        click.option("--host", default=_LOOPBACK[0], show_default=True, help="0.0.0.0: for all."),
        env_option,
        click.argument("campaign"),
    ):
        command = option(command)
    return click.pass_obj(command)


@survey.command(name="metrics")
@_serving
def ask_about_metrics(
    project: Any, campaign: str, env: str | None, host: str, port: int, code: str
) -> None:
    """Which pictures that MI and the metrics choose are aligned (MI-TUNE, Table 6)."""
    _serve("metrics", project, campaign, env, host, port, code)


@survey.command(name="methods")
@_serving
def ask_about_methods(
    project: Any, campaign: str, env: str | None, host: str, port: int, code: str
) -> None:
    """Which models' pictures are aligned (MI-TUNE, Table 7)."""
    _serve("methods", project, campaign, env, host, port, code)


@survey.command(name="export")
@click.argument("campaign")
@click.argument("folder", type=click.Path(path_type=Path))
@env_option
@click.option("--notebooks", is_flag=True, help="In the CSV dialect of the released notebooks.")
@click.pass_obj
def export_answers(
    project: Any, campaign: str, folder: Path, env: str | None, notebooks: bool
) -> None:
    """Write the answers to CAMPAIGN's surveys to a new FOLDER: one table, with all there is."""
    from mitune.survey.exchange import export

    with _campaign(project, env, campaign) as catalog:
        written = export(catalog.load("survey_answers"), folder, notebooks)
    click.echo(f"{len(written)} files in {folder}")


@survey.command(name="import")
@click.argument("campaign")
@click.argument("source", type=click.Path(path_type=Path, exists=True))
@env_option
@click.option("--group", default="all", show_default=True, help="Of a folder of notebooks' files.")
@click.pass_obj
def import_answers(project: Any, campaign: str, source: Path, env: str | None, group: str) -> None:
    """Take in SOURCE: an exported answers.csv, or a folder of the released notebooks' files."""
    from mitune.survey.exchange import take_in

    with _campaign(project, env, campaign) as catalog:
        count = take_in(_answers(catalog), source, campaign, group)
    click.echo(f"{count} surveys; analyse them with")
    click.echo(_analysis(campaign, env))


@survey.command(name="power")
@click.argument("campaign")
@click.argument("first")
@click.argument("second")
@env_option
@click.option("--kind", type=click.Choice(["metrics", "methods"]), default="methods")
@click.option("--score", default=None, help="That people follow. Default: the first metric.")
@click.option("--slope", default=4.0, show_default=True, help="How closely; 0 is guessing.")
@click.option("--spread", default=0.7, show_default=True, help="How people differ in leniency.")
@click.pass_obj
def plan_power(
    project: Any,
    campaign: str,
    first: str,
    second: str,
    env: str | None,
    kind: Kind,
    score: str | None,
    slope: float,
    spread: float,
) -> None:
    """Count the surveys that are needed to tell options FIRST and SECOND apart, by simulation."""
    import numpy as np

    from mitune.survey.power import power
    from mitune.survey.simulation import Respondents

    study = _study(kind, project, campaign, env)
    with _campaign(project, env, campaign) as catalog:
        followed = score or next(iter(catalog.load("params:metrics").scorers))
        people = Respondents(slope=slope, spread=spread)
        rng = np.random.default_rng(0)
        table, needed = power(study, people, followed, (first, second), _COUNTS, rng)
    click.echo(f"{first} against {second}, people who follow {followed}\n")
    click.echo(f"{'surveys':>8}{'power':>8}   95 % interval of the simulation")
    for row in table.itertuples(index=False):
        click.echo(f"{row.surveys:>8}{row.power:>8.0%}   {row.low:.0%} to {row.high:.0%}")
    click.echo(f"\n80 % need {needed:,.0f} surveys")


def _serve(
    kind: Kind, project: Any, campaign: str, env: str | None, host: str, port: int, code: str
) -> None:
    import uvicorn

    from mitune.survey.app import create_app

    study = _study(kind, project, campaign, env)
    with _campaign(project, env, campaign) as catalog:
        answers = _answers(catalog)
        answers.keep_scores(study.scores)
        app = create_app(study, answers, code)
    click.echo(f"survey of {kind}: http://{host}:{port}  (Ctrl-C ends it)")
    click.echo(f"answers: {answers.path}")
    click.echo(f"analyse: {_analysis(campaign, env)}")
    if host not in _LOOPBACK:
        click.echo("Anyone who can reach this machine can answer, and nothing is encrypted: give")
        click.echo("--code, and put a server with TLS in front (docs/surveys.md).")
    # No log of requests: addresses of people are nobody's business.
    uvicorn.run(app, host=host, port=port, log_level="warning", access_log=False)


def _study(kind: Kind, project: Any, campaign: str, env: str | None) -> Study:
    """The survey, its pictures made if they are missing or stale."""
    from mitune.survey.study import Study

    with _campaign(project, env, campaign) as catalog:
        name = _making(kind, catalog)
    runtime = {"campaign": campaign}
    with KedroSession.create(project.project_path, env=env, runtime_params=runtime) as session:
        session.run(pipeline_names=[name], only_missing_outputs=True)
    with _campaign(project, env, campaign) as catalog:
        settings = catalog.load("params:survey")
        questions = {"metrics": settings.metrics, "methods": settings.methods}[kind].questions
        table = catalog.load(f"survey_{kind}_pictures")
        return Study(kind, campaign, questions, table, settings.groups, settings.consent)


def _making(kind: Kind, catalog: CatalogProtocol) -> str:
    """The pipeline that makes the pictures: of methods, that of the most rounds there are."""
    for rounds in range(MAX_ROUNDS, 0, -1):
        name = f"survey_methods_r{rounds}"
        if kind == "methods" and all(map(catalog.exists, pipelines[name].inputs())):
            return name
    return f"survey_{kind}"


def _answers(catalog: CatalogProtocol) -> Answers:
    """The campaign's file of answers, made if it is not there."""
    from mitune.lineage.location import location
    from mitune.survey.storage import Answers

    path = location(catalog.get("survey_answers"))
    assert path is not None
    return Answers(path)


def _analysis(campaign: str, env: str | None) -> str:
    where = f" --env={env}" if env else ""
    return f"kedro run{where} --pipeline=survey_analysis --params=campaign={campaign}"


@contextmanager
def _campaign(project: Any, env: str | None, campaign: str) -> Iterator[CatalogProtocol]:
    """The campaign's data; what the user can mend is one line."""
    try:
        with run_catalog(project, env, {"campaign": campaign}) as catalog:
            yield catalog
    except (UserError, DatasetError) as error:
        raise click.ClickException(" ".join(str(error).split())) from None
