"""The miniature's own judge: the product of verdicts on each claim of the prompt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError

from mitune.metrics.base import MetricError, Scorer, Weights
from mitune.metrics.units import Units
from mitune.miniature.caption import read
from mitune.miniature.judge import Judge
from mitune.miniature.scene import CANVAS

_LEAVE_OUT = "leave it out with --params=metrics.scorers.judge=null"


class JudgeScore(Weights):
    """Score in [0, 1], for the miniature world only; detector weights at `path`.

    Rounded to two decimals: whether a picture is wrong by 1e-3 or by 1e-30 is no difference, and
    a rank statistic would take it for one.
    """

    scale: ClassVar[str] = "probability, 0 to 1"
    units: ClassVar[Units] = Units("proportion", threshold=0.5)
    preprocessing: ClassVar[str] = "none: 64 x 64 pixels"

    kind: Literal["judge"] = "judge"

    def check(self, prompts: Sequence[str]) -> None:
        """Raises MetricError for a prompt with a word that is not of the miniature world."""
        for prompt in prompts:
            try:
                read(prompt)
            except ValueError as error:
                raise MetricError(f"judge: {error}; {_LEAVE_OUT}") from None

    def load(self, device: torch.device) -> Scorer:
        """Read the detector.

        Raises
        ------
        MetricError
            If its weights are missing or truncated.
        """
        try:
            judge = Judge.load(self.path)
        except (OSError, SafetensorError, RuntimeError) as error:
            raise MetricError(
                f"{self.path}: the judge's weights cannot be read ({type(error).__name__}); "
                "restore them with `git checkout -- data/06_models`"
            ) from None

        def score(images: NDArray[np.uint8], prompts: Sequence[str]) -> NDArray[np.float64]:
            if images.shape[1:] != (CANVAS, CANVAS, 3):
                raise MetricError(
                    f"judge: reads pictures of {CANVAS} x {CANVAS}, not of {images.shape[2]} x "
                    f"{images.shape[1]}; {_LEAVE_OUT}"
                )
            return np.array([round(j.score, 2) for j in judge(images, prompts)])

        return score
