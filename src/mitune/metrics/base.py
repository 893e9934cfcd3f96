"""A score: images and prompts in, one number per image out, with where it comes from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, PositiveInt

from mitune.errors import UserError
from mitune.language import ParserName, open_reader
from mitune.metrics.remedy import hub_remedy, on_hub, remedy
from mitune.weights import read_network, read_tokenizer

Module = TypeVar("Module", bound=torch.nn.Module)


class Scorer(Protocol):
    """Scores picture i against prompt i."""

    def __call__(self, images: NDArray[np.uint8], prompts: Sequence[str]) -> NDArray[np.float64]:
        """(N,) scores of `images` (N, H, W, 3) uint8 RGB; independent of batch composition."""
        ...


class MetricError(UserError):
    """A metric cannot be computed as asked; the message names the file and the fix."""


class Metric(BaseModel):
    """What a number depends on; a metric of several networks has one field for each.

    `scale` says what the numbers are and `preprocessing` what is done to a picture first: two
    results with different provenance are not to be compared.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    scale: ClassVar[str]
    preprocessing: ClassVar[str]

    @property
    def files(self) -> dict[str, Path]:
        """Local files and folders whose contents the numbers depend on, by field.

        `path`, or of a part `detector.path`.
        """
        return {
            f"{name}.{field}": path
            for name, part in self._parts.items()
            for field, path in part.files.items()
        }

    @property
    def parsers(self) -> dict[str, ParserName]:
        """Who reads its prompts, by field: `parser`, or of a part `vqa.parser`."""
        return {
            f"{name}.{field}": parser
            for name, part in self._parts.items()
            for field, parser in part.parsers.items()
        }

    @property
    def published(self) -> str | None:
        """The same metric's name in `mitune.paper_tables`: same weights, version and arithmetic.

        None if no published figure may stand beside this one's.
        """
        return None

    def check(self, prompts: Sequence[str]) -> None:
        """Refuse prompts that the metric or its parsers cannot read, before any weight is.

        Raises
        ------
        UserError
            Naming the prompt.
        """
        for field, parser in self.parsers.items():
            reader = open_reader(parser, field)
            for prompt in prompts:
                reader(prompt)

    @property
    def provenance(self) -> dict[str, str]:
        """Everything that the numbers depend on, as text; of a part as `detector.path`."""
        settings = {
            name: str(value)
            for name, value in self.model_dump(mode="json").items()
            if name not in self._parts
        }
        nested = {
            f"{name}.{field}": value
            for name, part in self._parts.items()
            for field, value in part.provenance.items()
        }
        return {**settings, **nested, "scale": self.scale, "preprocessing": self.preprocessing}

    @property
    def _parts(self) -> dict[str, Metric]:
        return {name: value for name, value in self if isinstance(value, Metric)}


class Weights(Metric):
    """Weights of a metric or of a part of one: a file or folder here, or a hub id with revision."""

    path: Path
    revision: str | None = None

    @property
    def from_hub(self) -> bool:
        """Whether `path` is a hub id."""
        return on_hub(self.path, self.revision)

    @property
    def files(self) -> dict[str, Path]:
        """Its path, unless that is a hub id."""
        return {} if self.from_hub else {"path": self.path}


class Network(Weights):
    """Weights of a network, its precision, and how many pictures at a time (no matter which)."""

    dtype: Literal["float32", "float16", "bfloat16"] = "float32"
    batch_size: PositiveInt = Field(default=64, exclude=True)

    @property
    def torch_dtype(self) -> torch.dtype:
        """`dtype` for torch."""
        dtype: torch.dtype = getattr(torch, self.dtype)
        return dtype

    def opened(self, kind: type[Module], **settings: Any) -> Module:
        """`kind.from_pretrained` of the path, in its precision; within `reading`.

        Raises
        ------
        WeightsError
            If the file is not whole, naming the tensor.
        """
        given = {"revision": self.revision, "dtype": self.torch_dtype, **settings}
        return read_network(kind, self.path, self.path, self._fix, **given)

    def opened_tokenizer(self, kind: Any) -> Any:
        """`kind.from_pretrained` of the path; within `reading`. Raises as `opened`."""
        return read_tokenizer(kind, self.path, self.path, self._fix, revision=self.revision)

    @property
    def _fix(self) -> str:
        return hub_remedy(self.path, self.revision) if self.from_hub else remedy(self.path)

    def reading(self, what: str) -> AbstractContextManager[None]:
        """`reading` of its path."""
        return reading(what, self.path, self.revision)


@contextmanager
def reading(what: str, path: Path, revision: str | None = None, file: str = "") -> Iterator[None]:
    """Turn whatever fails while `what` is read from `path` into one line.

    `file` is what is wanted of a repository, if not all of it.

    Raises
    ------
    MetricError
        Naming the hub id, or the file or folder, and what to do.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # whichever of the many that transformers raises
        hub = on_hub(path, revision)
        broken = f"cannot be read ({type(error).__name__})"
        if hub and isinstance(error, OSError):
            broken = "is not in the local cache and the hub cannot be reached or lacks it"
        elif not hub and not path.exists():
            broken = "is not there"
        fix = hub_remedy(path, revision, file) if hub else remedy(path)
        raise MetricError(f"{path}: {what} {broken}; {fix}") from None


def check_scores(name: str, scores: NDArray[np.float64], pictures: Sequence[str]) -> None:
    """A score that is no number is refused, wherever one is taken: no mean leaves it out.

    Raises
    ------
    MetricError
        Naming the first of `pictures` whose score is not finite.
    """
    bad = ~np.isfinite(scores)
    if bad.any():
        raise MetricError(
            f"{pictures[int(bad.argmax())]}: {name} is not finite (and of {int(bad.sum()) - 1} "
            "more pictures); use dtype float32, or restore its weights"
        )


def batches(count: int, size: int) -> Iterator[slice]:
    """0..count in slices of `size`."""
    return (slice(start, start + size) for start in range(0, count, size))
