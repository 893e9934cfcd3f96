"""Which adapters, at which weights."""

from __future__ import annotations

import math
from pathlib import Path

from kedro.io import Version
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, PositiveInt, model_validator
from typing_extensions import Self

from mitune.datasets import AdapterDataset
from mitune.errors import UserError
from mitune.lineage.location import location
from mitune.references import AdapterRef
from mitune.training.adapter_weights import FACTS

_BASE = "base"


class Ingredient(BaseModel):
    """An adapter and its weight in the mean; a negative one moves away from it.

    `adapter`: an arm of this campaign (`round_1`), of another one (`shape/round_1`), the folder of
    an adapter, or `base`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    adapter: str
    weight: FiniteFloat | None = None


class Merge(BaseModel):
    """The weighted mean of adapters; without weights the plain one.

    `models`: where campaigns keep their adapters; `campaign`: this one. `rank`: cut the mean to it;
    null keeps the sum of the ranks, which is exact. `sweep`: weights of the first adapter, of two,
    at which to write the mean besides.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    models: Path
    campaign: str
    adapters: tuple[Ingredient, ...] = Field(min_length=1)
    rank: PositiveInt | None = None
    sweep: tuple[FiniteFloat, ...] = ()

    @model_validator(mode="after")
    def _is_a_mean(self) -> Self:
        given = [part.weight for part in self.adapters if part.weight is not None]
        if given and len(given) < len(self.adapters):
            raise ValueError("adapters: give all of them a weight, or none for the plain mean")
        if given and not math.isclose(sum(given), 1, abs_tol=1e-6):
            raise ValueError(
                f"adapters: the weights of a mean add up to 1, not {sum(given):g}; leave them out "
                "for the plain mean, or give the rest to `base`"
            )
        if self.sweep and len(self.adapters) != 2:
            raise ValueError("sweep: goes from one adapter to another, so it takes two adapters")
        return self

    @property
    def weights(self) -> tuple[float, ...]:
        """One for each adapter; they add up to 1."""
        equal = 1 / len(self.adapters)
        return tuple(equal if part.weight is None else part.weight for part in self.adapters)

    @property
    def files(self) -> tuple[Path, ...]:
        """Folders whose contents the mean hangs on, there or not."""
        return tuple(
            location(dataset) or self._folder(name)
            for name in self._names
            if (dataset := self._dataset(name)) is not None
        )

    def load(self) -> tuple[AdapterRef, ...]:
        """The adapters.

        Raises
        ------
        UserError
            If one is missing, naming it.
        DatasetError
            If one is damaged.
        """
        return tuple(map(self._load, self._names))

    @property
    def _names(self) -> list[str]:
        return [part.adapter for part in self.adapters]

    def _load(self, name: str) -> AdapterRef:
        dataset = self._dataset(name)
        if dataset is None:
            return AdapterRef(None)
        if not dataset.exists():
            raise UserError(
                f"parameters, merge.adapters: {name}: no adapter in {self._folder(name)}; run what "
                "makes it first, or name an arm, campaign/arm, a folder, or base"
            )
        return dataset.load()

    def _dataset(self, name: str) -> AdapterDataset | None:
        """Where an adapter is kept; None for the base."""
        if name == _BASE:
            return None
        folder = self._folder(name)
        version = None if (folder / FACTS).exists() else Version(None, None)
        return AdapterDataset(filepath=str(folder), version=version)

    def _folder(self, name: str) -> Path:
        """Of an adapter, or of the versions of an arm's."""
        if (Path(name) / FACTS).exists():
            return Path(name)
        campaign, _, arm = name.rpartition("/")
        return self.models / (campaign or self.campaign) / arm / "adapter"
