"""Find the things in a picture: a small centre-point network (Zhou et al. 2019, CenterNet).

Small and big things are found on separate maps, so that one inside another does not collide.

arXiv:1904.07850.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from mitune.miniature.scene import CANVAS, Scene
from mitune.miniature.vocabulary import COLOURS, SHAPES, SIZES, TEXTURES
from mitune.weights import fill

STRIDE = 4
GRID = CANVAS // STRIDE
_RADIUS_UNIT = 10.0
# The network is under-confident on clean pictures: half the temperature makes verdicts decisive.
_TEMPERATURE = 0.5
_PARTS = {"heat": 1, "offset": 2, "radius": 1, "shape": 5, "colour": 8, "texture": 4}
_WIDTH = sum(_PARTS.values())
_RESTORE = "restore it with `git checkout -- data/06_models`"


@dataclass(frozen=True)
class Detection:
    """A thing as seen: confidence, geometry in pixels, and probabilities of its attributes."""

    confidence: float
    x: float
    y: float
    radius: float
    shapes: tuple[float, ...]
    colours: tuple[float, ...]
    textures: tuple[float, ...]

    @property
    def shape(self) -> str:
        """Most probable shape."""
        return SHAPES[int(np.argmax(self.shapes))]

    @property
    def colour(self) -> str:
        """Most probable colour."""
        return tuple(COLOURS)[int(np.argmax(self.colours))]


class _Residual(nn.Module):
    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=dilation, dilation=dilation),
            nn.GroupNorm(8, width),
            nn.SiLU(),
            nn.Conv2d(width, width, 3, padding=1),
            nn.GroupNorm(8, width),
        )

    def forward(self, x: Tensor) -> Tensor:
        return F.silu(x + self.body(x))


class Detector(nn.Module):
    """Pixels (N, 3, 64, 64) in [-1, 1] to maps (N, 2, 21, 16, 16), first axis small and big."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, width // 2, 5, stride=2, padding=2),
            nn.GroupNorm(8, width // 2),
            nn.SiLU(),
            nn.Conv2d(width // 2, width, 3, stride=2, padding=1),
            nn.GroupNorm(8, width),
            nn.SiLU(),
        )
        self.trunk = nn.Sequential(*(_Residual(width, d) for d in (1, 2, 4, 1)))
        self.head = nn.Conv2d(width, 2 * _WIDTH, 1)

    def forward(self, pixels: Tensor) -> Tensor:
        maps: Tensor = self.head(self.trunk(self.stem(pixels)))
        return maps.unflatten(1, (2, _WIDTH))

    def save(self, path: Path) -> None:
        """Write the weights in half precision."""
        save_file({k: v.half().contiguous() for k, v in self.state_dict().items()}, path)

    @classmethod
    def load(cls, path: Path) -> Detector:
        """Read weights written by `save`.

        Raises
        ------
        FileNotFoundError
            If the file is missing.
        WeightsError
            If it is not a detector's, or a weight is not finite.
        """
        detector = cls()
        fill(detector, {k: v.float() for k, v in load_file(path).items()}, path, _RESTORE)
        return detector.eval()


def targets(scene: Scene) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """What the maps should say of a scene, (2, 21, 16, 16), and where they count, (2, 16, 16).

    Attributes are class indices in the first channel of their part.
    """
    truth = np.zeros((2, _WIDTH, GRID, GRID), np.float32)
    counts = np.zeros((2, GRID, GRID), np.float32)
    rows, columns = np.mgrid[:GRID, :GRID]
    for thing in scene.things:
        plane = list(SIZES).index(thing.size)
        u, v = thing.x / STRIDE, thing.y / STRIDE
        column, row = int(np.clip(u, 0, GRID - 1)), int(np.clip(v, 0, GRID - 1))
        bump = np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / (2 * 0.7**2))
        truth[plane, 0] = np.maximum(truth[plane, 0], bump)
        truth[plane, 1:9, row, column] = [
            u - column,
            v - row,
            thing.radius / _RADIUS_UNIT,
            SHAPES.index(thing.shape),
            0,
            0,
            0,
            0,
        ]
        truth[plane, 9, row, column] = list(COLOURS).index(thing.colour)
        truth[plane, 17, row, column] = TEXTURES.index(thing.texture)
        counts[plane, row, column] = 1
    return truth, counts


def detection_loss(maps: Tensor, truth: Tensor, counts: Tensor) -> Tensor:
    """Focal heat loss (CenterNet eq. 1), L1 geometry, cross-entropy of attributes; (N,)."""
    heat, offset, radius, shape, colour, texture = maps.split(list(_PARTS.values()), dim=2)
    things_per_picture = counts.sum((1, 2, 3)).clamp(min=1)
    log_p, log_q = F.logsigmoid(heat[:, :, 0]), F.logsigmoid(-heat[:, :, 0])
    p = log_p.exp()
    centre = counts * (1 - p) ** 2 * log_p
    elsewhere = (1 - counts) * (1 - truth[:, :, 0]) ** 4 * p**2 * log_q
    loss = -(centre + elsewhere).sum((1, 2, 3))
    geometry = torch.cat([offset, radius], 2) - truth[:, :, 1:4]
    loss = loss + (counts[:, :, None] * geometry.abs()).sum((1, 2, 3, 4))
    for part, channel in ((shape, 4), (colour, 9), (texture, 17)):
        entropy = F.cross_entropy(
            part.flatten(0, 1), truth[:, :, channel].flatten(0, 1).long(), reduction="none"
        )
        loss = loss + (counts * entropy.unflatten(0, counts.shape[:2])).sum((1, 2, 3))
    return loss / things_per_picture


@torch.inference_mode()
def detect(detector: Detector, pixels: Tensor, threshold: float = 0.3) -> list[list[Detection]]:
    """Things in each picture, most confident first. `pixels` (N, 3, 64, 64) in [-1, 1].

    The picture and its mirror image are read and averaged: everything in this world is symmetric.
    """
    maps = (detector(pixels) + _mirrored(detector(pixels.flip(-1)))).float().cpu() / 2
    heat = maps[:, :, 0].sigmoid()
    peaks = (heat == F.max_pool2d(heat, 3, 1, 1)) & (heat > threshold)
    detections: list[list[Detection]] = [[] for _ in range(len(pixels))]
    for picture, plane, row, column in peaks.nonzero().tolist():
        _, offset, radius, shape, colour, texture = maps[picture, plane, :, row, column].split(
            list(_PARTS.values())
        )
        detections[picture].append(
            Detection(
                float(heat[picture, plane, row, column]),
                (column + float(offset[0])) * STRIDE,
                (row + float(offset[1])) * STRIDE,
                max(float(radius[0]) * _RADIUS_UNIT, 1.0),
                tuple((shape / _TEMPERATURE).softmax(0).tolist()),
                tuple((colour / _TEMPERATURE).softmax(0).tolist()),
                tuple((texture / _TEMPERATURE).softmax(0).tolist()),
            )
        )
    return [_without_doubles(things) for things in detections]


def _mirrored(maps: Tensor) -> Tensor:
    """Maps of a mirrored picture as those of the picture: u becomes GRID - u."""
    flipped = maps.flip(-1)
    flipped[:, :, 1] = 1 - flipped[:, :, 1]
    return flipped


def _without_doubles(things: list[Detection]) -> list[Detection]:
    """Drop a weaker sighting of the same thing (same colour, centres within half a radius)."""
    kept: list[Detection] = []
    for thing in sorted(things, key=lambda t: -t.confidence):
        if not any(
            thing.colour == other.colour
            and np.hypot(thing.x - other.x, thing.y - other.y)
            < 0.5 * max(thing.radius, other.radius)
            for other in kept
        ):
            kept.append(thing)
    return kept
