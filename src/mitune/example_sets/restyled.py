"""Style pairs of the miniature's world: scenes of prompts, plain and restyled."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image
from pydantic import BaseModel, ConfigDict, NonNegativeInt, PositiveInt

from mitune.example_sets.base import Example, ExampleError, Picture
from mitune.miniature.caption import read
from mitune.miniature.layout import sample_scene
from mitune.miniature.render import render
from mitune.miniature.scene import Scene
from mitune.miniature.styles import Style, restyled
from mitune.seeds import image_seed


class Restyled(BaseModel):
    """`per_prompt` scenes that make each prompt true; the restyled picture wins over the plain."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    style: Style = "winter"
    per_prompt: PositiveInt = 2
    seed: NonNegativeInt = 0

    def read(self, prompts: pd.DataFrame) -> Iterator[Example]:
        """Pairs of `prompts` (prompt_id, category, prompt).

        Raises
        ------
        ExampleError
            If a prompt is not of the miniature's world.
        """
        for row, scene, place in self._scenes("style", prompts, self.per_prompt):
            pictures = {"winner": restyled(scene, self.style), "loser": render(scene)}
            yield Example(
                row["prompt"],
                {role: Picture(png(pixels), place) for role, pixels in pictures.items()},
                place,
                category=row["category"],
            )

    def others(self, prompts: pd.DataFrame, per_prompt: int) -> Iterator[NDArray[np.uint8]]:
        """Restyled pictures (64, 64, 3) of other scenes, prompt by prompt: a perfect model's."""
        for _, scene, _ in self._scenes("style again", prompts, per_prompt):
            yield restyled(scene, self.style)

    def _scenes(
        self, name: str, prompts: pd.DataFrame, count: int
    ) -> Iterator[tuple[pd.Series, Scene, str]]:
        for _, row in prompts.iterrows():
            rng = np.random.default_rng(image_seed(self.seed, name, row["prompt_id"]))
            try:
                description = read(row["prompt"])
            except ValueError as error:
                raise ExampleError(
                    f"restyle: {error}; for prompts of another world give a folder of pairs, "
                    "--params=style=FOLDER"
                ) from None
            for number in range(count):
                scene = sample_scene(description, rng)
                yield row, scene, f"scene {number} of {row['prompt']!r}, {self.style}"


def png(pixels: NDArray[np.uint8]) -> bytes:
    """(H, W, 3) uint8 RGB as a file of that name has it."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()
