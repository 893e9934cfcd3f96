"""`kedro survey`: ask people, exchange their answers, plan how many to ask."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from kedro.framework.cli.utils import env_option

from mitune.cli.asking import answers_in, campaign_catalog, rounds_in, study_of

if TYPE_CHECKING:
    from mitune.survey.row import Kind

_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_COUNTS = (5, 10, 20, 40, 80, 160)


@click.group(name="survey")
def survey() -> None:
    """Ask people which pictures show what the prompt says, as MI-TUNE did."""


def _serving(command: Callable[..., None]) -> Callable[..., None]:
    """What `metrics` and `methods` have in common."""
    for option in (
        click.option("--code", default="", help="Access code that starting a survey asks for."),
        click.option(
            "--port",
            type=click.IntRange(1, 65535),
            default=8000,
            show_default=True,
            help="Where to listen.",
        ),
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

    with campaign_catalog(project, env, campaign) as catalog:
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

    with campaign_catalog(project, env, campaign) as catalog:
        count = take_in(answers_in(catalog), source, campaign, group)
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

    study = study_of(kind, project, campaign, env)
    with campaign_catalog(project, env, campaign) as catalog:
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

    listening = _listen(host, port)
    study = study_of(kind, project, campaign, env)
    with campaign_catalog(project, env, campaign) as catalog:
        answers = answers_in(catalog)
        answers.keep_scores(study.scores)
        app = create_app(study, answers, code)
        rounds = rounds_in(catalog)
    click.echo(f"survey of {kind}: http://{host}:{port}  (Ctrl-C ends it)")
    click.echo(f"answers: {answers.path}")
    click.echo(f"analyse: {_analysis(campaign, env)}")
    if rounds:
        click.echo(f"report:  {_refresh(rounds, campaign, env)}")
    if host not in _LOOPBACK:
        click.echo("Anyone who can reach this machine can answer, and nothing is encrypted: give")
        click.echo("--code, and put a server with TLS in front (docs/surveys.md).")
    # No log of requests: addresses of people are nobody's business.
    config = uvicorn.Config(app, log_level="warning", access_log=False)
    uvicorn.Server(config).run(sockets=[listening])


def _listen(host: str, port: int) -> socket.socket:
    """Take the address before anything is made, or say in one line why not."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        reason = str(error.strerror).partition(" (")[0]
        raise click.ClickException(
            f"{host}, port {port}: {reason}; choose another with --port or --host"
        ) from None


def _analysis(campaign: str, env: str | None) -> str:
    return f"kedro run{_where(campaign, env)} --pipeline=survey_analysis"


def _refresh(rounds: int, campaign: str, env: str | None) -> str:
    """The command that takes an analysis into the report of so many rounds."""
    page = f"--pipeline=mitune_r{rounds} --tags=report"
    return f"kedro run{_where(campaign, env)} {page} --only-missing-outputs"


def _where(campaign: str, env: str | None) -> str:
    """The same environment and campaign, in a command; what is the default is not said."""
    named = f" --params=campaign={campaign}" if campaign != "main" else ""
    return (f" --env={env}" if env else "") + named
