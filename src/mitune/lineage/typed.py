"""Parameters as a node reads them, also where Kedro has left them as they are in the files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node
from kedro.validation.model_factory import instantiate_model
from kedro.validation.type_extractor import TypeExtractor


def typed(node: Node, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """`parameters` of a node by dataset name, as the types that its function asks for.

    Kedro makes them typed in the pipelines that it runs, and a plan reaches beyond these: defaults
    of the code, and the classes that are held, count there too.
    """
    types = TypeExtractor({node.name: Pipeline([node])}).extract_types_from_pipelines()
    return {
        name: _as(types.get(key), key, value)
        for name, value in parameters.items()
        for key in (name.removeprefix("params:"),)
    }


def _as(wanted: type | None, key: str, value: Any) -> Any:
    if wanted is None or not isinstance(value, Mapping):
        return value
    return instantiate_model(key, value, wanted)
