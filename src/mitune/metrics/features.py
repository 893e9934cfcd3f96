"""A set of pictures as an embedder sees it: all vectors, or their first two moments."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from mitune.metrics.base import MetricError, batches
from mitune.metrics.embedders import EmbedderConfig

_BLOCK = 4096

# (images (N, H, W, 3) uint8, units (N,) text): what a set of pictures is read as, part by part.
Pictures: TypeAlias = tuple[NDArray[np.uint8], NDArray[np.str_]]


@dataclass(frozen=True, eq=False)
class Features:
    """Vectors (n, D) float64, and of each the unit (n,) that it was drawn with.

    A unit is what is independent of the rest: a prompt, whose pictures are alike, or a picture of
    its own. Intervals are over units.
    """

    vectors: NDArray[np.float64]
    units: NDArray[np.str_]
    provenance: Mapping[str, str]

    @property
    def n(self) -> int:
        """Number of pictures."""
        return len(self.vectors)


@dataclass(frozen=True, eq=False)
class Moments:
    """Mean (D,) and scatter (D, D), the sum of products about the mean, of n vectors in float64.

    `a + b` are the moments of both sets together, without their vectors (Chan, Golub and LeVeque
    1983): a set of any size is read in one pass.
    """

    n: int
    mean: NDArray[np.float64]
    scatter: NDArray[np.float64]
    provenance: Mapping[str, str]

    @classmethod
    def of(cls, features: Features) -> Moments:
        """Moments of all vectors."""
        parts = (features.vectors[part] for part in batches(features.n, _BLOCK))
        return reduce(add, (cls._of(part, features.provenance) for part in parts))

    @classmethod
    def _of(cls, vectors: NDArray[np.float64], provenance: Mapping[str, str]) -> Moments:
        mean = vectors.mean(0)
        centred = vectors - mean
        return cls(len(vectors), mean, centred.T @ centred, provenance)

    def __add__(self, other: Moments) -> Moments:
        check_provenance(other, self.provenance, "moments")
        n = self.n + other.n
        shift = other.mean - self.mean
        return Moments(
            n,
            self.mean + shift * (other.n / n),
            self.scatter + other.scatter + np.outer(shift, shift) * (self.n * other.n / n),
            self.provenance,
        )

    @property
    def covariance(self) -> NDArray[np.float64]:
        """Unbiased, over n - 1."""
        if self.n < 2:
            raise MetricError(f"a covariance needs two pictures, there is {self.n}; give more")
        return self.scatter / (self.n - 1)


def embed(
    pictures: Iterable[Pictures], embedders: Mapping[str, EmbedderConfig], device: torch.device
) -> dict[str, Features]:
    """Features by name of embedder, all found in one pass over the pictures.

    Raises
    ------
    MetricError
        If weights cannot be read or there is no picture.
    """
    loaded = {name: config.load(device) for name, config in embedders.items()}
    vectors: dict[str, list[NDArray[np.float64]]] = {name: [] for name in loaded}
    units = []
    for images, unit in pictures:
        units.append(unit)
        for name, embedder in loaded.items():
            vectors[name].append(embedder(images))
    if not units:
        raise MetricError("there are no pictures to describe")
    together = np.concatenate(units)
    return {
        name: Features(np.concatenate(vectors[name]), together, config.provenance)
        for name, config in embedders.items()
    }


def save_statistics(path: Path, statistics: Features | Moments) -> None:
    """Write an npz with the provenance in it, and move it into place."""
    arrays: dict[str, Any] = dict(vars(statistics))
    arrays["provenance"] = json.dumps(dict(statistics.provenance))
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    with partial.open("wb") as stream:
        np.savez(stream, **arrays)
    os.replace(partial, path)


def load_statistics(path: Path, provenance: Mapping[str, str] | None = None) -> Features | Moments:
    """Read what `save_statistics` wrote.

    Raises
    ------
    MetricError
        If the file is broken, or was made with another embedder than `provenance` says.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays: dict[str, Any] = {name: archive[name] for name in archive.files}
        made_with = json.loads(str(arrays.pop("provenance")))
        statistics: Features | Moments
        if "vectors" in arrays:
            statistics = Features(provenance=made_with, **arrays)
        else:
            statistics = Moments(int(arrays.pop("n")), provenance=made_with, **arrays)
    except Exception as error:  # whichever of the many that numpy and zipfile raise
        raise MetricError(
            f"{path}: no statistics of pictures ({type(error).__name__}); make them again"
        ) from None
    if provenance is not None:
        check_provenance(statistics, provenance, str(path))
    return statistics


def check_provenance(
    statistics: Features | Moments, provenance: Mapping[str, str], what: str
) -> None:
    """Statistics of different embedders are not to be compared.

    Raises
    ------
    MetricError
        Naming the first field that differs.
    """
    recorded = statistics.provenance
    for name in sorted({*recorded, *provenance}):
        if recorded.get(name) != provenance.get(name):
            raise MetricError(
                f"{what}: made with {name} {recorded.get(name)!r}, not {provenance.get(name)!r}; "
                "make it again with the same embedder"
            )
