"""Top-level names of parameters and globals: Kedro ignores one that nothing reads."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

_RUNTIME = re.compile(r"\$\{runtime_params:(\w+)")
_CAMPAIGN = re.compile(r"\w[\w.-]*")


def check_names(base: Path, parameters: dict[str, Any], globals_: Collection[str]) -> Iterator[str]:
    """What is wrong, a line each, with names that `base` (conf/base) does not have.

    `parameters` and `globals_` as they are after the environment and `--params`. A campaign is the
    name of a folder in every layer, so it must be one.
    """
    blocks = set().union(*(_keys(file) for file in base.glob("parameters*.yml")))
    places = {name for file in base.glob("*.yml") for name in _RUNTIME.findall(file.read_text())}
    yield from _unknown("parameters", parameters, blocks | places)
    yield from _unknown("globals", globals_, _keys(base / "globals.yml"))
    campaign = str(parameters.get("campaign", "main"))
    if not _CAMPAIGN.fullmatch(campaign):
        yield (
            f"parameters, campaign: {campaign!r} is no name of a folder; use letters, digits, "
            "'_', '-' and '.'"
        )


def _keys(file: Path) -> set[str]:
    return set(yaml.safe_load(file.read_text()) or ())


def _unknown(where: str, given: Collection[str], known: Collection[str]) -> Iterator[str]:
    for name in sorted(set(given) - set(known)):
        near = get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"choose of {', '.join(sorted(known))}"
        yield f"{where}, {name}: no such name; {hint}"
