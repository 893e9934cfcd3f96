"""Which guidance scales, on how many prompts and images."""

from __future__ import annotations

from pydantic import PositiveInt

from mitune.pipelines.guidance_grid.parameters import GuidanceGrid


class GuidanceCurve(GuidanceGrid):
    """Every arm at every scale on the first `prompts` tuning prompts, taken in turn by category."""

    prompts: PositiveInt

    @property
    def grid(self) -> GuidanceGrid:
        """Its cells."""
        return GuidanceGrid(scales=self.scales, images_per_prompt=self.images_per_prompt)
