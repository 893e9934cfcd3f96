"""`--params`, where a list cannot be given: Kedro splits what it is given at every comma."""

from __future__ import annotations

import re
from copy import copy
from typing import Any

import click
from kedro.framework.cli.utils import _split_params
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

_LIST = re.compile(r"([^,=]+)=[\[{][^\]}]*,")


def split_params(context: click.Context, option: click.Parameter, value: Any) -> Any:
    """As Kedro's own, but a list or mapping with a comma is refused by its name, with the way out.

    Raises
    ------
    click.BadParameter
        Naming the parameter.
    """
    listed = _LIST.search(value) if isinstance(value, str) else None
    if listed:
        raise click.BadParameter(
            f"{listed.group(1).strip()}: a list cannot be given here, Kedro splits at commas; "
            "write it to a file, `run: {params: {name: [a, b]}}`, and give --config=FILE",
            context,
            option,
        )
    if isinstance(value, str):
        _check_distinct([item.partition("=")[0].strip() for item in value.split(",")])
    try:
        return _split_params(context, option, value)
    except (YAMLError, OmegaConfBaseException) as error:
        raise click.BadParameter(
            f"{value!r} does not parse ({str(error).splitlines()[0]}); close what is open, or "
            "put quotes around a text",
            context,
            option,
        ) from None


def _check_distinct(names: list[str]) -> None:
    for name in names:
        within = [other for other in names if other == name or other.startswith(f"{name}.")]
        if name and len(within) > 1:
            raise click.BadParameter(f"{name} is given twice, as {within[-1]}; give one of them")


def refusing_lists(command: click.Command) -> click.Command:
    """A command of Kedro, its `--params` read by `split_params`."""
    changed = copy(command)
    changed.params = [copy(option) for option in command.params]
    for option in changed.params:
        if option.name == "params":
            option.callback = split_params
    return changed
