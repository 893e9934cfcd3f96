"""`--params`, where a list cannot be given: Kedro splits what it is given at every comma."""

from __future__ import annotations

import re
from copy import copy
from typing import Any

import click
from kedro.framework.cli.utils import _split_params

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
    return _split_params(context, option, value)


def refusing_lists(command: click.Command) -> click.Command:
    """A command of Kedro, its `--params` read by `split_params`."""
    changed = copy(command)
    changed.params = [copy(option) for option in command.params]
    for option in changed.params:
        if option.name == "params":
            option.callback = split_params
    return changed
