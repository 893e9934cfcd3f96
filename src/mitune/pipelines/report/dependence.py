"""What the numbers of each metric depend on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mitune.pipelines.shared.metrics import Metrics

_COLUMNS = ("kind", "path", "revision", "preprocessing", "dtype", "scale")


def trace_metrics(metrics: Metrics) -> dict[str, dict[str, Any]]:
    """Provenance by metric."""
    return metrics.provenance


def dependence_rows(provenance: Mapping[str, Mapping[str, Any]]) -> list[dict[str, str]]:
    """A row per metric, and per network of one that has several.

    Columns: name, those of provenance that most metrics have, and `settings`: all the rest. Of a
    local file or folder `revision` is the digest of its contents.
    """
    return [row for name, facts in provenance.items() for row in _rows(name, facts)]


def _rows(metric: str, provenance: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    contents = provenance["contents"]
    parts: dict[str, dict[str, str]] = {}
    for key, value in provenance.items():
        part, _, field = key.rpartition(".")
        if field != "contents":
            parts.setdefault(part, {})[field] = value
    for part, facts in parts.items():
        row = {column: facts.pop(column, "") for column in _COLUMNS}
        row["revision"] = contents.get(row["path"], row["revision"])
        rest = [
            f"{field} {value}" + (f" ({contents[value]})" if value in contents else "")
            for field, value in facts.items()
            if value != "None"
        ]
        yield {"name": f"{metric}.{part}".rstrip("."), **row, "settings": "; ".join(rest)}
