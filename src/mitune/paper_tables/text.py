"""A panel as lines of text."""

from __future__ import annotations

from collections.abc import Iterator

from mitune.paper_tables import Cell, Panel


def as_text(panel: Panel) -> Iterator[str]:
    """A heading, methods by categories with ours marked, and notes."""
    yield " ".join(filter(None, (f"{panel.table}: {panel.source}, {panel.metric},", panel.unit)))
    names = [f"ours: {row.name}" if row.ours else row.name for row in panel.rows]
    cells = [[_shown(cell, row.ours) for cell in row.cells] for row in panel.rows]
    columns = [["", *names]]
    for place, category in enumerate(panel.categories):
        columns.append([category, *(row[place] for row in cells)])
    widths = [max(map(len, column)) for column in columns]
    for line in zip(*columns, strict=True):
        parts = [text.ljust(width) for text, width in zip(line, widths, strict=True)]
        yield "  ".join(parts).rstrip()
    yield from (f"  note: {note}" for note in panel.notes)


def _shown(cell: Cell, ours: bool) -> str:
    return f"{cell.text} ({cell.status})" if cell.status else cell.text
