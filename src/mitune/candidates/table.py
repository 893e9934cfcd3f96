"""A prompt's candidates as a table: latents and scores in, and out again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from mitune.candidates.settings import Generation
from mitune.candidates.source import Source, seed_of
from mitune.errors import UserError
from mitune.estimators import Information


@dataclass(frozen=True, eq=False)
class Sampled:
    """Latents (B, C, h, w) and the terms of their scores."""

    latents: Tensor
    scores: Mapping[str, Information]


def merged(parts: Sequence[Sampled]) -> Sampled:
    """One batch after the other."""
    first = parts[0]
    return Sampled(
        torch.cat([part.latents for part in parts]),
        {
            name: Information(
                torch.cat([part.scores[name].increments for part in parts]), found.log_snr
            )
            for name, found in first.scores.items()
        },
    )


def rows_of(sampled: Sampled, rows: slice) -> Sampled:
    """Some images of a batch."""
    return Sampled(
        sampled.latents[rows],
        {
            name: Information(found.increments[rows], found.log_snr)
            for name, found in sampled.scores.items()
        },
    )


def as_table(
    source: Source,
    settings: Generation,
    prompt: Any,
    sampled: Sampled,
    keys: Mapping[str, str],
    first: int,
) -> pd.DataFrame:
    """Candidates of one prompt, counted from `first`; raises UserError if one is not finite."""
    latents = sampled.latents.cpu().to(torch.float16).numpy()
    identity = prompt["prompt_id"]
    indices = np.arange(first, first + len(latents))
    columns: dict[str, Any] = {
        "prompt_id": identity,
        "category": prompt["category"],
        "prompt": prompt["prompt"],
        "image_index": indices,
        "seed": [seed_of(source, settings, identity, int(i)) for i in indices],
        "latent": [latent.tobytes() for latent in latents],
    }
    for name, found in sampled.scores.items():
        columns[name] = found.score.double().numpy()
        columns[f"{name}_increments"] = list(found.increments.float().numpy())
    table = pd.DataFrame(columns)
    _check_finite(table, list(sampled.scores), latents)
    table.attrs = {
        "key": keys[identity],
        "latent_shape": list(latents.shape[1:]),
        "log_snr": {name: found.log_snr.tolist() for name, found in sampled.scores.items()},
        "evaluations_per_increment": {
            name: settings.scoring.evaluations_per_image / len(found.log_snr) * (name != "path")
            for name, found in sampled.scores.items()
        },
        "model": source.model.digest,
        "adapter": source.adapter.digest,
    }
    return table


def _check_finite(table: pd.DataFrame, scores: Sequence[str], latents: np.ndarray) -> None:
    bad = [name for name in scores if not np.isfinite(table[name]).all()]
    if not np.isfinite(latents).all():
        bad.insert(0, "latents")
    if bad:
        raise UserError(
            f"prompt {table['prompt'][0]!r}: {', '.join(bad)} not finite; lower guidance.scale or "
            "use generate.dtype float32 (finished prompts are kept)"
        )


def appended(there: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
    """More candidates of a prompt, after those that are there."""
    attrs, there.attrs, new.attrs = new.attrs, {}, {}
    whole = pd.concat([there, new], ignore_index=True)
    whole.attrs = attrs
    return whole


def scores_in(table: pd.DataFrame) -> pd.DataFrame:
    """A candidates table without latents and increments."""
    kept = [c for c in map(str, table) if c != "latent" and not c.endswith("_increments")]
    found = table[kept].copy()
    found.attrs = {}
    return found


def latents_of(table: pd.DataFrame) -> Tensor:
    """Latents of a candidates table, (N, C, h, w) float32."""
    shape = (len(table), *table.attrs["latent_shape"])
    stacked = np.frombuffer(b"".join(table["latent"]), np.float16).reshape(shape)
    return torch.from_numpy(stacked.astype(np.float32))
