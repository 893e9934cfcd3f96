"""What the miniature world is described with: attributes, categories, relations."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

SHAPES = ("circle", "square", "triangle", "cross", "star")
COLOURS: Mapping[str, tuple[int, int, int]] = MappingProxyType(
    {
        "red": (214, 39, 40),
        "orange": (255, 140, 20),
        "yellow": (245, 220, 50),
        "green": (44, 150, 55),
        "cyan": (60, 205, 225),
        "blue": (40, 75, 210),
        "purple": (150, 60, 190),
        "black": (25, 25, 25),
    }
)
TEXTURES = ("plain", "striped", "dotted", "checkered")
SIZES: Mapping[str, tuple[float, float]] = MappingProxyType(
    {"small": (8.0, 10.0), "big": (11.8, 14.2)}
)
CATEGORIES = (
    "color",
    "shape",
    "texture",
    "2d_spatial",
    "3d_spatial",
    "non_spatial",
    "numeracy",
    "complex",
)
# A pattern is only claimed of shapes, and drawn at sizes, on which it can be told.
PATTERNED_SHAPES = ("circle", "square", "triangle")
SPATIAL = ("left", "right", "above", "below")
DEPTH = ("front", "behind")
CONTACT = ("touching", "inside")
RELATIONS = SPATIAL + DEPTH + CONTACT
INVERSE = MappingProxyType(
    {
        "left": "right",
        "right": "left",
        "above": "below",
        "below": "above",
        "front": "behind",
        "behind": "front",
    }
)
MAX_COUNT = 4
OUTER_SHAPES = ("circle", "square")  # what something can be inside of
