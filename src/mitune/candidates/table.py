"""A prompt's candidates as a table: latents and scores in, and out again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from mitune.candidates.batch import Prompt
from mitune.candidates.sampled import Sampled
from mitune.candidates.settings import Generation
from mitune.candidates.source import Source, seed_of, shard_key
from mitune.errors import UserError


def as_table(
    source: Source,
    settings: Generation,
    prompt: Prompt,
    sampled: Sampled,
    first: int,
) -> pd.DataFrame:
    """Candidates of one prompt, counted from `first`; raises UserError if one is not finite."""
    latents = sampled.latents.cpu().to(torch.float16).numpy()
    indices = np.arange(first, first + len(latents))
    columns: dict[str, Any] = {
        **prompt._asdict(),
        "image_index": indices,
        "seed": [seed_of(source, settings, prompt.prompt_id, int(i)) for i in indices],
        "latent": [latent.tobytes() for latent in latents],
    }
    for name, terms in sampled.scores.items():
        columns[name] = terms.increments.sum(dim=1).double().numpy()
        columns[f"{name}_increments"] = list(terms.increments.float().numpy())
    table = pd.DataFrame(columns)
    _check_finite(table, list(sampled.scores), latents)
    levels = {name: terms.log_snr[0].tolist() for name, terms in sampled.scores.items()}
    table.attrs = {
        "key": shard_key(source, settings, prompt.prompt),
        "made_by": source.facts(settings),
        "latent_shape": list(latents.shape[1:]),
        "log_snr": levels,
        "evaluations_per_increment": {
            name: settings.scoring.evaluations_per_image / len(log_snrs) * (name != "path")
            for name, log_snrs in levels.items()
        },
    }
    return table


def _check_finite(table: pd.DataFrame, scores: Sequence[str], latents: np.ndarray) -> None:
    bad = [name for name in scores if not np.isfinite(table[name]).all()]
    if not np.isfinite(latents).all():
        bad.insert(0, "latents")
    if bad:
        raise UserError(
            f"{', '.join(bad)} not finite; lower guidance.scale or use generate.dtype float32"
        )


def appended(finished: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
    """More candidates of a prompt, after those that are there."""
    attrs, finished.attrs, new.attrs = new.attrs, {}, {}
    table = pd.concat([finished, new], ignore_index=True)
    table.attrs = attrs
    return table


def scores_in(table: pd.DataFrame) -> pd.DataFrame:
    """A candidates table without latents and increments."""
    kept = [c for c in map(str, table) if c != "latent" and not c.endswith("_increments")]
    scores = table[kept].copy()
    scores.attrs = {}
    return scores


def latents_of(table: pd.DataFrame) -> Tensor:
    """Latents of a candidates table, (N, C, h, w) float32."""
    shape = (len(table), *table.attrs["latent_shape"])
    stacked = np.frombuffer(b"".join(table["latent"]), np.float16).reshape(shape)
    return torch.from_numpy(stacked.astype(np.float32))
