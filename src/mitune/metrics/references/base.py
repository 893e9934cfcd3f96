"""Reference pictures: what the pictures of a model should look like as a set."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import pandas as pd

from mitune.metrics.features import Pictures


class Reference(Protocol):
    """Where reference pictures come from."""

    def pictures(self, prompts: pd.DataFrame) -> Iterator[Pictures]:
        """All of them, part by part, for `prompts` (prompt_id, prompt)."""
        ...

    def control(self, prompts: pd.DataFrame, per_prompt: int) -> Iterator[Pictures]:
        """As many pictures as a model makes, from where the reference is from but not in it.

        Their distance is that of a perfect model: sampling noise and the bias of small sets. No
        part is yielded where the reference has none to spare.
        """
        ...
