"""Which candidates become the fine-tuning set: one strategy a file; the union is the registry.

A strategy takes a frame of candidates and returns the set: chosen pictures, pairs of them, labels,
negatives or weights (docs/sets.md). Random and lowest picks are the controls that every claim
needs.
"""

from typing import Annotated, TypeAlias

from pydantic import Field

from mitune.composition.above import Above
from mitune.composition.base import Strategy
from mitune.composition.labelled import Labelled
from mitune.composition.lowest_k import LowestK
from mitune.composition.negatives import Negatives
from mitune.composition.pairs import Pairs
from mitune.composition.random_k import RandomK
from mitune.composition.top_k import TopK
from mitune.composition.weighted import Weighted

__all__ = [
    "Above",
    "Composition",
    "Labelled",
    "LowestK",
    "Negatives",
    "Pairs",
    "RandomK",
    "Strategy",
    "TopK",
    "Weighted",
]

Composition: TypeAlias = Annotated[
    TopK | LowestK | RandomK | Above | Weighted | Pairs | Labelled | Negatives,
    Field(discriminator="kind"),
]
