"""Kinds of examples that losses eat, one file each, all read from one long table."""

from mitune.objectives.rows.base import Captions, PerExample, Rows
from mitune.objectives.rows.featured_pair import FeaturedPair
from mitune.objectives.rows.labelled import Labelled
from mitune.objectives.rows.negatives import Negatives
from mitune.objectives.rows.pair import Pair
from mitune.objectives.rows.single import Single
from mitune.objectives.rows.trajectory import Trajectory

__all__ = [
    "Captions",
    "FeaturedPair",
    "Labelled",
    "Negatives",
    "Pair",
    "PerExample",
    "Rows",
    "Single",
    "Trajectory",
]
