"""Options that commands share with `kedro run`."""

from __future__ import annotations

import click
from kedro.framework.project import pipelines

from mitune.cli.params import split_params


def _known(context: click.Context, option: click.Parameter, name: str) -> str:
    if name not in pipelines:
        raise click.BadParameter(f"no pipeline {name!r}; choose of {', '.join(pipelines)}")
    return name


pipeline_option = click.option(
    "--pipeline", "-p", default="__default__", callback=_known, help="Name of the pipeline."
)
params_option = click.option(
    "--params", default="", callback=split_params, help="As of `kedro run`: name=value,…"
)
