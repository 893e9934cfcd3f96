"""Which prompts are worked on together, and what of them is still to be made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil
from typing import NamedTuple, TypeAlias

import pandas as pd

from mitune.candidates.settings import Generation
from mitune.candidates.source import Finished

_FULL = 0.9  # of a batch on the accelerator, if few enough prompts can do it
_MOST_BATCHES = 4  # of a job: what is lost when a run is interrupted


class Prompt(NamedTuple):
    """A row of a table of prompts."""

    prompt_id: str
    category: str
    prompt: str


@dataclass(frozen=True)
class Batch:
    """A job: images `first` to M - 1 of each of these prompts."""

    prompts: tuple[Prompt, ...]
    first: int = 0

    def __str__(self) -> str:
        texts = [repr(prompt.prompt) for prompt in self.prompts]
        return f"prompt {texts[0]}" if len(texts) == 1 else f"prompts {', '.join(texts)}"

    def split(self) -> list[Batch]:
        """Every prompt by itself."""
        return [Batch((prompt,), self.first) for prompt in self.prompts]


Counts: TypeAlias = Mapping[str, int]


def batches(
    prompts: pd.DataFrame, settings: Generation, batch_size: int, finished: Counts | None = None
) -> list[Batch]:
    """All jobs, of prompts in their order.

    Which prompts share a job depends on their list, M and `batch_size` alone. `finished` says how
    many candidates of each prompt are kept: of a job, what any of its prompts misses is made for
    all of them, so that an interrupted run ends with the bits of one that was not.
    """
    wanted = settings.images_per_prompt
    table = prompts[list(Prompt._fields)].itertuples(index=False, name=None)
    rows = [Prompt(*row) for row in table]
    jobs = ceil(len(rows) / prompts_at_once(wanted, batch_size))
    return [
        Batch(together, min(_kept(finished, prompt, wanted) for prompt in together))
        for together in map(tuple, _even(rows, jobs))
    ]


def prompts_at_once(images: int, batch_size: int) -> int:
    """The fewest prompts of a job whose images fill their batches; at most `_MOST_BATCHES`."""
    most = max(1, _MOST_BATCHES * batch_size // images)

    def fullness(prompts: int) -> float:
        total = prompts * images
        return total / (batch_size * ceil(total / batch_size))

    full = [n for n in range(1, most + 1) if fullness(n) >= _FULL]
    return full[0] if full else max(range(1, most + 1), key=fullness)


def _even(rows: Sequence[Prompt], parts: int) -> list[Sequence[Prompt]]:
    """`rows` in `parts` runs whose lengths differ by one at most."""
    ends = [len(rows) * part // parts for part in range(parts + 1)] if parts else []
    return [rows[a:b] for a, b in pairwise(ends)]


def _kept(finished: Counts | None, prompt: Prompt, wanted: int) -> int:
    return min(wanted, finished[prompt.prompt_id]) if finished else 0


def counts(finished: Finished, keys: Mapping[str, str]) -> dict[str, int]:
    """How many candidates are there, by prompt id."""
    return {prompt_id: finished.count(prompt_id, key) for prompt_id, key in keys.items()}
