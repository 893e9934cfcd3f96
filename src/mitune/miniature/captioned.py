"""Pictures of the world with captions, as one finds them: what real pictures are elsewhere."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from mitune.miniature.caption import CaptionNoise, corrupt, write
from mitune.miniature.description import sample_description
from mitune.miniature.layout import sample_scene
from mitune.miniature.prompts import split_of
from mitune.miniature.render import render
from mitune.miniature.vocabulary import CATEGORIES


def draw_captioned(
    count: int, seed: int, careless: bool = True
) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """`count` captions with pictures (64, 64, 3) uint8, the categories in turn.

    The first ones stay the same when `count` grows. All are of combinations that the training split
    owns, so none is a test prompt's. `careless`: captions go wrong as `CaptionNoise` has it.
    """
    for number in range(count):
        rng = np.random.default_rng((seed, number))
        category = CATEGORIES[number % len(CATEGORIES)]
        description = sample_description(category, rng)
        while split_of(description) != "train":
            description = sample_description(category, rng)
        picture = render(sample_scene(description, rng))
        said = corrupt(description, CaptionNoise(), rng) if careless else description
        yield write(said, rng), picture
