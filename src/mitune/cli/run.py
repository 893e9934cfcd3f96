"""`kedro run`: Kedro's own, with a better word about what it cannot be given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import yaml
from kedro.framework.cli import project

from mitune.cli.params import refusing_lists

_SEQUENTIAL = {"SequentialRunner", "kedro.runner.SequentialRunner"}


def _sequential(context: click.Context, option: click.Parameter, value: Any) -> Any:
    from mitune.hooks.preflight import OTHER_RUNNER

    if option.name == "is_async":
        other = bool(value)
    elif option.name == "runner":
        other = value not in {None, *_SEQUENTIAL}
    else:
        value = project._split_params(context, option, value)
        other = bool(value)
    if other:
        raise click.BadParameter(OTHER_RUNNER, context, option)
    return value


def _configured(context: click.Context, option: click.Parameter, value: Any) -> Any:
    """`--config`: a YAML file of a block `run`, whose names are those of the options."""
    if not value:
        return value
    try:
        found = yaml.safe_load(Path(value).read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        reason = " ".join(str(error).split())
        raise click.BadParameter(f"{value}: cannot be read ({reason})", context, option) from None
    block = found.get("run") if isinstance(found, dict) else None
    if not isinstance(block, dict):
        raise click.BadParameter(
            f"{value}: has no block `run`; write `run: {{params: {{name: value}}}}`",
            context,
            option,
        )
    known = {parameter.name for parameter in context.command.params} - {"config", None}
    for name in block:
        if name not in known:
            raise click.BadParameter(
                f"{value}, run.{name}: no such option; choose of {', '.join(sorted(known))}",
                context,
                option,
            )
    return project._config_file_callback(context, option, value)


run = refusing_lists(project.run)
for option in run.params:
    if option.name in ("runner", "is_async", "runner_params"):
        option.callback = _sequential
    elif option.name == "config":
        option.callback = _configured
