"""Published tables as data, and our rows beside those that are the same metric on the same scale.

One CSV per table: source, table, method, category, metric, value, unit, status, note. `status` is
`read` for what stands in the paper, `derived` for what follows from it, `from_table_1` for what it
repeats, `missing` and `not_available_in_paper` for what has no value. `mitune_table01` calls its
first metric `blip_vqa_or_unidet`: BLIP-VQA everywhere but in `spatial_2d`, which is UniDet's.
"""

from mitune.paper_tables.comparison import (
    PUBLISHED_NAMES,
    T2I_COMPBENCH,
    Comparison,
    beside,
    for_table,
)
from mitune.paper_tables.panel import Cell, Panel, Row
from mitune.paper_tables.published import PaperTableError, named, published_tables

__all__ = [
    "PUBLISHED_NAMES",
    "T2I_COMPBENCH",
    "Cell",
    "Comparison",
    "Panel",
    "PaperTableError",
    "Row",
    "beside",
    "for_table",
    "named",
    "published_tables",
]
