"""Top-level names of parameters and globals: Kedro ignores one that nothing reads."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from omegaconf import OmegaConf

from mitune.environments import Environments

_RUNTIME = re.compile(r"\$\{runtime_params:(\w+)")
_CAMPAIGN = re.compile(r"\w[\w.-]*")
_LONGEST = 200  # of a campaign: it is a folder, and a part of names


@dataclass(frozen=True)
class Names:
    """What base knows: blocks of parameters, places of the command line, globals with values."""

    blocks: frozenset[str]
    places: frozenset[str]
    globals: Mapping[str, Any]

    @classmethod
    def of(cls, loader: Environments) -> Names:
        """Read from the files of base, of a folder or packed."""
        files = list(loader.base_files(""))
        blocks = {str(name) for _, file in loader.base_files("parameters") for name in file}
        texts = (str(OmegaConf.to_container(file)) for _, file in files)
        places = {name for text in texts for name in _RUNTIME.findall(text)}
        values: dict[Any, Any] = {}
        for _, file in loader.base_files("globals"):
            values |= dict(OmegaConf.to_container(file))  # type: ignore[arg-type]
        return cls(frozenset(blocks), frozenset(places), values)


def check_session(loader: Environments) -> Iterator[str]:
    """What is wrong with the names of a session, a line each."""
    names, given = Names.of(loader), loader.runtime_params or {}
    parameters = loader["parameters"]
    written = {name: value for name, value in parameters.items() if name not in given}
    yield from check_parameters(names, written, given)
    yield from check_globals(names, loader["globals"])


def check_parameters(
    names: Names, written: Mapping[str, Any], given: Mapping[str, Any]
) -> Iterator[str]:
    """Of parameters `written` in files and `given` on the command line, a line each.

    A place (`campaign`, `model`) is read from the command line alone. A campaign is the name of a
    folder in every layer, so it must be one.
    """
    for name in sorted(set(written) & (names.places - names.blocks)):
        here = "globals.yml, or " if name in names.globals else ""
        yield (
            f"parameters, {name}: is not read from a file of parameters; put it into {here}"
            f"--params={name}={written[name]}"
        )
    known = names.blocks | names.places
    yield from _unknown("parameters", {*written, *given}, known)
    for name in sorted(set(given) & names.places):
        value = given[name]
        if name == "campaign":
            yield from _campaign(value)
        elif not isinstance(value, str) and names.globals.get(name, "") is not None:
            yield f"--params, {name}: {_yaml(value)} is no text; name a file or a folder"


def check_globals(names: Names, given: Mapping[str, Any]) -> Iterator[str]:
    """Of globals after the environment, a line each: null only where base has it."""
    yield from _unknown("globals", given, names.globals.keys())
    for name, value in given.items():
        if name == "max_sequence_length":
            if value is not None and (type(value) is not int or value < 0):
                yield f"globals, {name}: {_yaml(value)} is no number of tokens; write 256, or null"
        elif isinstance(names.globals.get(name), str) and not (isinstance(value, str) and value):
            yield f"globals, {name}: {_yaml(value)} is no path; write one, as conf/base does"
        elif name in names.globals and not isinstance(value, str | None):
            yield f"globals, {name}: {_yaml(value)} is no text; write one, or null"


def _campaign(value: object) -> Iterator[str]:
    if not isinstance(value, str):
        yield (
            f"parameters, campaign: {_yaml(value)} is no text but what YAML makes of it; begin the "
            "name with a letter"
        )
    elif not _CAMPAIGN.fullmatch(value) or len(value.encode()) > _LONGEST:
        yield (
            f"parameters, campaign: {value!r} is no name of a folder; use letters, digits, "
            f"'_', '-' and '.', {_LONGEST} at most"
        )


def _unknown(where: str, given: Collection[str], known: Collection[str]) -> Iterator[str]:
    for name in sorted(map(str, set(given) - set(known))):
        near = get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"choose of {', '.join(sorted(known))}"
        yield f"{where}, {name}: no such name; {hint}"


def _yaml(value: object) -> str:
    """As people write it."""
    return "null" if value is None else repr(value)
