"""M images per prompt with their estimates of MI: settings, seeds, the loop, tables out of it."""

from mitune.candidates.generation import generate
from mitune.candidates.settings import ESTIMATES, Generation, Scoring
from mitune.candidates.source import (
    Finished,
    Source,
    seed_of,
    shard_key,
    shard_keys,
    todo_counts,
)
from mitune.candidates.table import latents_of, scores_in

__all__ = [
    "ESTIMATES",
    "Finished",
    "Generation",
    "Scoring",
    "Source",
    "generate",
    "latents_of",
    "scores_in",
    "seed_of",
    "shard_key",
    "shard_keys",
    "todo_counts",
]
