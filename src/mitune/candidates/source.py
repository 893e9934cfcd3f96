"""What makes images, and the names of what it makes: seeds, keys, what is still to do."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import pandas as pd

from mitune.backbones import AdapterRef, ModelRef
from mitune.candidates.settings import Generation
from mitune.seeds import image_seed


@dataclass(frozen=True)
class Source:
    """What makes the images: model, adapter, and the name that separates rounds' seeds.

    `target`: whose latents are kept, if not the model's own. `code`: a digest of each module that
    images and scores hang on.
    """

    model: ModelRef
    adapter: AdapterRef
    name: str
    target: ModelRef | None = None
    code: Mapping[str, str] = field(default_factory=dict)

    def facts(self, settings: Generation) -> dict[str, Any]:
        """All that candidates depend on but for their prompts; M is not of it, so M can grow."""
        return {
            "model": self.model.digest,
            "adapter": self.adapter.digest,
            "target": self.target.digest if self.target else None,
            "name": self.name,
            "code": dict(self.code),
            "settings": settings.model_dump(mode="json", exclude={"images_per_prompt"}),
        }


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
    facts = {**source.facts(settings), "prompt": prompt}
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def shard_keys(source: Source, settings: Generation, prompts: pd.DataFrame) -> dict[str, str]:
    """The key of every prompt's shard, by prompt id."""
    texts = dict(zip(prompts["prompt_id"], prompts["prompt"], strict=True))
    return {name: shard_key(source, settings, text) for name, text in texts.items()}


def seed_of(source: Source, settings: Generation, prompt_id: str, image_index: int) -> int:
    """Seed of one image."""
    return image_seed(settings.seed, source.name, prompt_id, image_index)
