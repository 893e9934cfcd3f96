"""What makes images, and the names of what it makes: seeds, keys, what is still to do."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import pandas as pd

from mitune.backbones import AdapterRef, ModelRef
from mitune.candidates.settings import Generation
from mitune.seeds import image_seed


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


def seed_of(source: Source, settings: Generation, prompt_id: str, image_index: int) -> int:
    """Seed of one image."""
    return image_seed(settings.seed, source.name, prompt_id, image_index)


def todo_counts(
    finished: Finished | None, keys: Mapping[str, str], settings: Generation
) -> dict[str, int]:
    """How many candidates of each prompt are still to be made."""
    wanted = settings.images_per_prompt
    if finished is None:
        return dict.fromkeys(keys, wanted)
    return {i: max(0, wanted - finished.count(i, key)) for i, key in keys.items()}
