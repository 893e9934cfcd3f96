"""Scenes of the miniature's world, rendered from the test prompts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, PositiveInt

from mitune.metrics.base import MetricError
from mitune.metrics.features import Pictures
from mitune.miniature.caption import read
from mitune.miniature.layout import sample_scene
from mitune.miniature.render import render_all
from mitune.seeds import Seed, image_seed


class Rendered(BaseModel):
    """`per_prompt` scenes that make each prompt true: what the miniature was trained to paint."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["rendered"] = "rendered"
    per_prompt: PositiveInt = 12
    seed: Seed = 0

    def pictures(self, prompts: pd.DataFrame) -> Iterator[Pictures]:
        """One part per prompt.

        Raises
        ------
        MetricError
            If a prompt is not of the miniature's world.
        """
        return self._rendered("reference", prompts, self.per_prompt)

    def control(self, prompts: pd.DataFrame, per_prompt: int) -> Iterator[Pictures]:
        """Other scenes of the same prompts. Raises MetricError as `pictures` does."""
        return self._rendered("control", prompts, per_prompt)

    def _rendered(self, name: str, prompts: pd.DataFrame, count: int) -> Iterator[Pictures]:
        for identity, prompt in zip(prompts["prompt_id"], prompts["prompt"], strict=True):
            rng = np.random.default_rng(image_seed(self.seed, name, identity))
            try:
                description = read(prompt)
                scenes = [sample_scene(description, rng) for _ in range(count)]
            except ValueError as error:
                raise MetricError(
                    f"reference rendered: {error}; for prompts of another world give a folder of "
                    "pictures, quality.reference: {kind: folder, path: ...}"
                ) from None
            yield render_all(scenes), np.full(count, identity)
