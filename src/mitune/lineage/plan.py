"""Which nodes would make something else than what is on disk, and why.

A dataset is named by what makes it: its node's code and parameters, and the names of the node's
inputs in turn (input-addressed, as in Nix). Nothing large is read to compare two such names.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

from kedro.io import CatalogProtocol, DatasetError
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from mitune.lineage import source_code
from mitune.lineage.content import content_digest
from mitune.lineage.flat import flat
from mitune.lineage.location import location, version_of
from mitune.lineage.records import Ingredients, Record, Records
from mitune.lineage.typed import typed

_IGNORED = "ignored"
_ABSENT = "absent"


@runtime_checkable
class Fingerprinted(Protocol):
    """A dataset that knows the name of its content."""

    def fingerprint(self) -> str: ...


@runtime_checkable
class NamesFiles(Protocol):
    """Parameters that name files whose content matters."""

    @property
    def files(self) -> tuple[Path, ...]: ...


@dataclass(frozen=True)
class State:
    """Whether a node would have to run, and the reasons."""

    node: str
    status: Literal["fresh", "stale", "missing"]
    reasons: tuple[str, ...] = ()


def producers(pipelines: Iterable[Pipeline]) -> dict[str, Node]:
    """The node that makes each dataset; the first pipeline that has one decides."""
    by_output: dict[str, Node] = {}
    for pipeline in pipelines:
        for node in pipeline.nodes:
            for output in node.outputs:
                by_output.setdefault(output, node)
    return by_output


class Plan:
    """States of nodes, from their ingredients now and the records of what is on disk."""

    def __init__(
        self, made_by: Mapping[str, Node], catalog: CatalogProtocol, records: Records
    ) -> None:
        self._made_by = made_by
        self._catalog = catalog
        self.records = records
        self._wanted: dict[str, Ingredients] = {}

    def state(self, node: Node) -> State:
        """Missing: an output is not on disk as it was written. Stale: it was made otherwise."""
        missing = [reason for output in node.outputs for reason in self._damage(output)]
        if missing:
            return State(node.name, "missing", tuple(missing))
        wanted = self.wanted(node)
        reasons: dict[str, None] = {}
        for output in node.outputs:
            record = self.record(output)
            if record is None:
                reasons[f"{output} was not recorded: interrupted, or made by other means"] = None
            else:
                reasons.update(dict.fromkeys(_differences(record.ingredients, wanted)))
        return State(node.name, "stale" if reasons else "fresh", tuple(reasons))

    def wanted(self, node: Node) -> Ingredients:
        """What the node's outputs should be made of, all that comes before it included."""
        if node.name not in self._wanted:
            self._wanted[node.name] = self._ingredients(node, self._wanted_input)
        return self._wanted[node.name]

    def actual(self, node: Node) -> Ingredients:
        """What the node's outputs are made of if it runs now, on the inputs that are there."""
        return self._ingredients(node, self._actual_input)

    def files(self, dataset: str) -> dict[str, int]:
        """Files of a dataset with their sizes in bytes."""
        path = location(self._catalog.get(dataset))
        if path is None:
            return {}
        if path.is_file():
            return {path.name: path.stat().st_size}
        return {
            str(file.relative_to(path)): file.stat().st_size
            for file in sorted(path.rglob("*"))
            if file.is_file() and file.suffix != ".partial"
        }

    def code(self, node: Node) -> dict[str, str]:
        """Digests of the code that the node's outputs hang on, under its parameters."""
        return _code(node, self._settings(node))

    def inputs(self, node: Node) -> list[str]:
        """Data that a node reads and that counts."""
        return [name for name in node.inputs if not _is_parameter(name) and self._counts(name)]

    def maker(self, dataset: str) -> Node | None:
        """The node that makes a dataset; None for what is given."""
        return self._made_by.get(dataset)

    def record(self, dataset: str) -> Record | None:
        """What is known of a dataset on disk."""
        return self.records[self.record_name(dataset)]

    def record_name(self, dataset: str) -> str:
        """`round_1.adapter@2026-…`: the version that would be loaded, of a versioned one."""
        version = version_of(self._catalog.get(dataset)) if dataset in self._catalog else None
        return f"{dataset}@{version}" if version else dataset

    def _ingredients(self, node: Node, of_input: Any) -> Ingredients:
        parameters: dict[str, Any] = {}
        inputs = {name: of_input(name) for name in self.inputs(node)}
        settings = self._settings(node)
        for name, value in settings.items():
            if isinstance(value, NamesFiles):
                inputs |= {str(file): _content(file) for file in value.files}
            parameters |= flat(name, value)
        return Ingredients(node.name, _code(node, settings), parameters, inputs)

    def _settings(self, node: Node) -> dict[str, Any]:
        names = filter(_is_parameter, node.inputs)
        return typed(node, {name: self._catalog.load(name) for name in names})

    def _wanted_input(self, dataset: str) -> str:
        maker = self._made_by.get(dataset)
        return self.wanted(maker).digest() if maker else self._free(dataset)

    def _actual_input(self, dataset: str) -> str:
        if dataset not in self._made_by:
            return self._free(dataset)
        record = self.record(dataset)
        return record.digest if record else "unrecorded"

    def _free(self, name: str) -> str:
        dataset = self._catalog.get(name)
        try:
            if isinstance(dataset, Fingerprinted):
                return dataset.fingerprint()
            path = location(dataset)
            return _content(path) if path else _ABSENT
        except (DatasetError, OSError):
            return _ABSENT  # its node will say so

    def _counts(self, name: str) -> bool:
        metadata = getattr(self._catalog.get(name), "metadata", None) or {}
        return bool(metadata.get("lineage") != _IGNORED)

    def _damage(self, dataset: str) -> Iterator[str]:
        """Ways in which what is on disk is not what was written."""
        if not self._catalog.exists(dataset):
            yield f"{dataset} does not exist"
            return
        record = self.record(dataset)
        if record is None:
            return
        sizes = self.files(dataset)
        for name, size in record.files.items():
            if name not in sizes:
                yield f"{dataset}: {name} is missing"
            elif sizes[name] != size:
                yield f"{dataset}: {name} has {sizes[name]} bytes, {size} were written"


def _code(node: Node, settings: Mapping[str, Any]) -> dict[str, str]:
    return source_code.computing(settings, node.func.__module__)


def _is_parameter(name: str) -> bool:
    return name == "parameters" or name.startswith("params:")


def _content(path: Path) -> str:
    return content_digest(path) or _ABSENT


def _differences(before: Ingredients, now: Ingredients) -> Iterator[str]:
    for name in _changed(before.parameters, now.parameters):
        yield f"{name} {_shown(before.parameters, name)} → {_shown(now.parameters, name)}"
    for module in _changed(before.code, now.code):
        yield f"code of {module}"
    for name in _changed(before.inputs, now.inputs):
        absent = now.inputs.get(name) == _ABSENT and before.inputs.get(name) != _ABSENT
        yield f"input {name} is not there" if absent else f"input {name}"


def _changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    names = {**before, **now}
    return sorted(n for n in names if before.get(n, _ABSENT) != now.get(n, _ABSENT))


def _shown(values: Mapping[str, Any], name: str) -> str:
    return str(values[name]) if name in values else "(not there)"
