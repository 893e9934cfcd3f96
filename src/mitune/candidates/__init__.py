"""M images per prompt with their estimates of MI: settings, seeds, the loop, tables out of it."""

from mitune.candidates.batch import Batch, Prompt, batches, counts
from mitune.candidates.generation import generate, grown, make_batch
from mitune.candidates.settings import ESTIMATES, Generation, Scoring
from mitune.candidates.source import Finished, Source, seed_of, shard_key, shard_keys
from mitune.candidates.table import latents_of, scores_in

__all__ = [
    "ESTIMATES",
    "Batch",
    "Finished",
    "Generation",
    "Prompt",
    "Scoring",
    "Source",
    "batches",
    "counts",
    "generate",
    "grown",
    "latents_of",
    "make_batch",
    "scores_in",
    "seed_of",
    "shard_key",
    "shard_keys",
]
