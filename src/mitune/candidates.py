"""M images per prompt with their scores, found in the sampling loop itself.

Images of several prompts share a batch, so the accelerator is full whatever M is. An image depends
on its own seed alone: not on the batch size, the order, or on where a run was interrupted.
"""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Protocol

import numpy as np
import pandas as pd
import torch
from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt, model_validator
from torch import Tensor

from mitune.backbones import AdapterRef, Backbone, DType, ModelRef
from mitune.diffusion.denoiser import Condition
from mitune.diffusion.sampling import SamplerName, build_scheduler, initial_noise, sample
from mitune.errors import UserError
from mitune.estimators import (
    DrawEstimator,
    ForwardScore,
    InformationDecomposition,
    PathScore,
    information,
)
from mitune.estimators.information import Information
from mitune.guidance import ClassifierFree, GuidanceConfig
from mitune.image_source import Transfer
from mitune.seeds import image_seed


class Scoring(BaseModel):
    """Which estimates of MI an image gets. `path` is free; the others cost two evaluations a draw.

    `forward` and `information` share their draws, so the second of them is free too.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: PathScore | None = PathScore()
    forward: ForwardScore | None = None
    information: InformationDecomposition | None = None

    @property
    def drawn(self) -> dict[str, DrawEstimator]:
        """The estimators that noise the finished image anew."""
        both: dict[str, DrawEstimator | None] = {
            "forward": self.forward,
            "information": self.information,
        }
        return {name: estimator for name, estimator in both.items() if estimator}

    @property
    def evaluations_per_image(self) -> int:
        """Network evaluations on top of sampling."""
        return max((e.evaluations_per_image for e in self.drawn.values()), default=0)

    @model_validator(mode="after")
    def _share_draws(self) -> Scoring:
        plans = {e.shared for e in self.drawn.values()}
        if len(plans) > 1:
            raise ValueError("forward and information: give both the same draws and log_snr")
        return self


class Generation(BaseModel):
    """How candidates are made. Defaults: the MI-TUNE paper (M = 50, 50 DDPM steps, CFG 7.5)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    images_per_prompt: PositiveInt = 50
    steps: PositiveInt = 50
    sampler: SamplerName = "ddpm"
    guidance: GuidanceConfig = Field(default_factory=ClassifierFree)
    scoring: Scoring = Scoring()
    dtype: DType = "float32"
    seed: NonNegativeInt = 0


ESTIMATES = tuple(Scoring.model_fields)


@dataclass(frozen=True)
class Source:
    """What makes the images: model, adapter, and the name that separates rounds' seeds.

    `target`: whose latents are kept, if not the model's own. `code`: a name for the code that runs.
    """

    model: ModelRef
    adapter: AdapterRef
    name: str
    target: ModelRef | None = None
    code: str = ""


class Finished(Protocol):
    """Candidates that are already there."""

    def count(self, prompt_id: str, key: str) -> int:
        """How many candidates of a prompt were made under `key`; 0 for none or another key."""
        ...

    def __getitem__(self, prompt_id: str) -> pd.DataFrame:
        """They themselves."""
        ...


@dataclass(frozen=True, eq=False)
class _Sampled:
    latents: Tensor
    scores: Mapping[str, Information]


def shard_key(source: Source, settings: Generation, prompt: str) -> str:
    """Names everything a candidate depends on; M is not of it, so M can grow."""
    facts: dict[str, Any] = {
        "model": source.model.digest,
        "adapter": source.adapter.digest,
        "name": source.name,
        "code": source.code,
        "settings": settings.model_dump(mode="json", exclude={"images_per_prompt"}),
        "prompt": prompt,
    }
    if source.target:
        facts["target"] = source.target.digest
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def shard_keys(source: Source, settings: Generation, prompts: pd.DataFrame) -> dict[str, str]:
    """The key of every prompt's shard, by prompt id."""
    texts = dict(zip(prompts["prompt_id"], prompts["prompt"], strict=True))
    return {name: shard_key(source, settings, text) for name, text in texts.items()}


def scores_in(table: pd.DataFrame) -> pd.DataFrame:
    """A candidates table without latents and increments."""
    kept = [c for c in map(str, table) if c != "latent" and not c.endswith("_increments")]
    found = table[kept].copy()
    found.attrs = {}
    return found


def seed_of(source: Source, settings: Generation, prompt_id: str, image_index: int) -> int:
    """Seed of one image."""
    return image_seed(settings.seed, source.name, prompt_id, image_index)


@torch.no_grad()
def generate(
    backbone: Backbone,
    source: Source,
    prompts: pd.DataFrame,
    settings: Generation,
    batch_size: int,
    finished: Finished | None = None,
    transferred: Transfer | None = None,
) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield (prompt_id, candidates) for every prompt that `finished` has not M candidates of.

    Columns: prompt_id, image_index, seed, latent (float16 bytes), one score column per estimator
    in nats, and its increments. `attrs`: key, latent_shape, log_snr of the increments.
    `backbone` must already carry the adapter of `source`. What is finished of a prompt is kept
    and only the rest is made. `transferred` turns latents into those that are kept.
    """
    keys = shard_keys(source, settings, prompts)
    counts = todo_counts(finished, keys, settings)
    todo = prompts[[counts[i] > 0 for i in prompts["prompt_id"]]]
    if todo.empty:
        return
    last = settings.images_per_prompt
    missing = [counts[i] for i in todo["prompt_id"]]
    items = [(row, index) for row, n in enumerate(missing) for index in range(last - n, last)]
    ends = list(accumulate(missing))
    texts = backbone.encode_prompts([""])
    pending: list[_Sampled] = []
    done = 0
    for start in range(0, len(items), batch_size):
        batch = items[start : start + batch_size]
        pending.append(_sample_batch(backbone, source, settings, todo, batch, texts))
        ready = bisect_right(ends, start + len(batch))
        merged = _merge(pending)
        offset = 0
        for row in range(done, ready):
            part = _rows(merged, slice(offset, offset + missing[row]))
            offset += missing[row]
            prompt = todo.iloc[row]
            scored = _score_draws(backbone, settings, prompt, part, texts, batch_size)
            if transferred:
                scored = _Sampled(transferred(scored.latents), scored.scores)
            table = _table(source, settings, prompt, scored, keys, last - missing[row])
            if finished is not None and missing[row] < last:
                table = _appended(finished[prompt["prompt_id"]], table)
            yield prompt["prompt_id"], table
        if ready > done:
            pending = [_rows(merged, slice(offset, None))]
            done = ready


def todo_counts(
    finished: Finished | None, keys: Mapping[str, str], settings: Generation
) -> dict[str, int]:
    """How many candidates of each prompt are still to be made."""
    wanted = settings.images_per_prompt
    if finished is None:
        return dict.fromkeys(keys, wanted)
    return {i: max(0, wanted - finished.count(i, key)) for i, key in keys.items()}


def _appended(there: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
    attrs, there.attrs, new.attrs = new.attrs, {}, {}
    whole = pd.concat([there, new], ignore_index=True)
    whole.attrs = attrs
    return whole


def _sample_batch(
    backbone: Backbone,
    source: Source,
    settings: Generation,
    prompts: pd.DataFrame,
    batch: Sequence[tuple[int, int]],
    null: Condition,
) -> _Sampled:
    generators = [
        torch.Generator().manual_seed(
            seed_of(source, settings, prompts.iloc[row]["prompt_id"], index)
        )
        for row, index in batch
    ]
    noise = initial_noise(backbone.latent_shape, generators).to(backbone.device)
    rows = sorted({row for row, _ in batch})
    encoded = backbone.encode_prompts([prompts.iloc[row]["prompt"] for row in rows])
    condition = encoded[torch.tensor([rows.index(row) for row, _ in batch])]
    steps = sample(
        backbone.denoiser,
        settings.guidance,
        build_scheduler(settings.sampler, backbone.pipeline.scheduler),
        noise,
        condition,
        null,
        settings.steps,
        generators,
    )
    estimator = settings.scoring.path
    squares, times, latents = [], [], noise
    for step in steps:
        if estimator:
            squares.append(estimator.increment(step, 1.0))
            times.append(step.t)
        latents = step.z_next
    if not estimator:
        return _Sampled(latents, {})
    grid = torch.tensor(times, dtype=torch.float64)
    path = backbone.denoiser.path
    increments = torch.stack(squares, dim=1).cpu() * estimator.weights_for(path, grid).float()
    return _Sampled(latents, {"path": Information(increments, path.log_snr(grid))})


def _score_draws(
    backbone: Backbone,
    settings: Generation,
    prompt: Any,
    sampled: _Sampled,
    null: Condition,
    batch_size: int,
) -> _Sampled:
    """Add the scores that noise the finished images anew; a prompt's images share the draws."""
    drawn = settings.scoring.drawn
    if not drawn:
        return sampled
    condition = backbone.encode_prompts([prompt["prompt"]])
    parts = []
    for latents in sampled.latents.split(batch_size):
        generator = torch.Generator().manual_seed(
            image_seed(settings.seed, "draws", prompt["prompt_id"])
        )
        parts.append(
            information(
                backbone.denoiser,
                latents,
                condition.expand(len(latents)),
                null,
                list(drawn.values()),
                generator,
            )
        )
    scores = {
        name: Information(
            torch.cat([part[i].increments.cpu() for part in parts]), parts[0][i].log_snr.cpu()
        )
        for i, name in enumerate(drawn)
    }
    return _Sampled(sampled.latents, {**sampled.scores, **scores})


def _merge(parts: Sequence[_Sampled]) -> _Sampled:
    first = parts[0]
    return _Sampled(
        torch.cat([part.latents for part in parts]),
        {
            name: Information(
                torch.cat([part.scores[name].increments for part in parts]), found.log_snr
            )
            for name, found in first.scores.items()
        },
    )


def _rows(sampled: _Sampled, rows: slice) -> _Sampled:
    return _Sampled(
        sampled.latents[rows],
        {
            name: Information(found.increments[rows], found.log_snr)
            for name, found in sampled.scores.items()
        },
    )


def _table(
    source: Source,
    settings: Generation,
    prompt: Any,
    sampled: _Sampled,
    keys: Mapping[str, str],
    first: int,
) -> pd.DataFrame:
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


def latents_of(table: pd.DataFrame) -> Tensor:
    """Latents of a candidates table, (N, C, h, w) float32."""
    shape = (len(table), *table.attrs["latent_shape"])
    stacked = np.frombuffer(b"".join(table["latent"]), np.float16).reshape(shape)
    return torch.from_numpy(stacked.astype(np.float32))
