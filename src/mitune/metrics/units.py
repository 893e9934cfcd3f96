"""How to read a score: its scale, how to write it, and from where on a picture is right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

ScaleName: TypeAlias = Literal["proportion", "cosine", "logit", "points", "index"]


class _Style(NamedTuple):
    factor: float
    decimals: int
    unit: str
    difference: str  # what a difference is counted in


_STYLES: dict[ScaleName, _Style] = {
    "proportion": _Style(100.0, 1, " %", " points"),
    "cosine": _Style(1.0, 3, "", ""),
    "logit": _Style(1.0, 2, "", ""),
    "points": _Style(1.0, 2, "", ""),
    "index": _Style(1.0, 3, "", ""),
}


@dataclass(frozen=True)
class Units:
    """What the numbers of a score are.

    `proportion`: of something that holds, 0 to 1, written in per cent. `cosine`: of two vectors.
    `logit`: before a softmax. `points`: a reward or a rating. `index`: a mean of unlike things.
    `threshold`: a picture that scores above it is right; None where nothing says so.
    """

    scale: ScaleName
    threshold: float | None = None

    @property
    def factor(self) -> float:
        """What a score is multiplied by to be shown."""
        return _STYLES[self.scale].factor

    def value(self, score: float) -> str:
        """`68.5 %` or `0.312`."""
        return f"{self.number(score)}{_STYLES[self.scale].unit}"

    def number(self, score: float, sign: str = "") -> str:
        """`68.5`, without its unit; `sign` as in a format: `+`."""
        style = _STYLES[self.scale]
        return f"{style.factor * score:{sign}.{style.decimals}f}"

    def signed(self, difference: float) -> str:
        """`+12.3`, in what differences are counted in."""
        return self.number(difference, "+")

    def amount(self, difference: float) -> str:
        """`12.3 points` or `0.012`, whichever way."""
        return f"{self.number(abs(difference))}{_STYLES[self.scale].difference}"

    def axis(self, name: str) -> str:
        """Of an axis that shows `factor` times the score of metric `name`."""
        return f"{name}, %" if self.scale == "proportion" else name
