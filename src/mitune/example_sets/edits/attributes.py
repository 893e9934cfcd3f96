"""Edits of the miniature's world: `make the red circle blue`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, NonNegativeInt, PositiveInt

from mitune.example_sets.base import ExampleError, Picture
from mitune.example_sets.edits.base import Edit
from mitune.example_sets.restyled import png
from mitune.miniature.caption import read
from mitune.miniature.edit import editable, sample_edit
from mitune.miniature.render import render
from mitune.seeds import image_seed


class AttributeEdits(BaseModel):
    """`per_prompt` edits of every prompt that claims an attribute which can be changed alone."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["attributes"] = "attributes"
    per_prompt: PositiveInt = 1
    seed: NonNegativeInt = 0

    @property
    def files(self) -> tuple[Path, ...]:
        """None: pictures are rendered."""
        return ()

    def read(self, prompts: pd.DataFrame) -> Iterator[Edit]:
        """As `EditSource.read`.

        Raises
        ------
        ExampleError
            If a prompt is not of the miniature's world, or none can be edited.
        """
        count = 0
        for row in prompts.itertuples(index=False):
            rng = np.random.default_rng(image_seed(self.seed, "edits", row.prompt_id))
            try:
                description = read(str(row.prompt))
            except ValueError as error:
                raise ExampleError(
                    f"edit.source: {error}; for pictures of another world give a folder, "
                    "edit.source: {kind: instruct_pix2pix, path: ...}"
                ) from None
            for number in range(self.per_prompt if editable(description) else 0):
                count += 1
                scene = sample_edit(description, rng)
                picture = Picture(png(render(scene.before)), f"scene {number} of {row.prompt!r}")
                yield Edit(
                    f"{row.prompt_id}_{number}",
                    picture,
                    scene.instruction,
                    scene.caption,
                    str(row.category),
                    Picture(png(render(scene.after)), f"{picture.where}, edited"),
                    scene,
                )
        if not count:
            raise ExampleError(
                "edit.source: no prompt has an attribute that can be changed alone; take prompts "
                "of colours, shapes or textures (prompts.categories)"
            )
