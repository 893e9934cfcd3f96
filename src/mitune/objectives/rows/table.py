"""Read a long table of examples: one line per picture, its role in its example beside it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from mitune.errors import UserError
from mitune.objectives.rows.base import Captions, Encode


class ExampleTable:
    """Lines of `table` by example and role; examples are in the order of their first lines.

    A table of one role may leave out `example` and `role`: then each line is an example.

    Raises
    ------
    UserError
        If it is empty, or an example has not exactly one line for each of `roles`.
    """

    def __init__(self, table: pd.DataFrame, roles: Sequence[str]) -> None:
        if table.empty:
            raise UserError(
                "the fine-tuning set is empty; check compose and the candidates' scores"
            )
        if len(roles) == 1 and "example" not in table:
            table = table.assign(example=np.arange(len(table)), role=roles[0])
        self._table = table.reset_index(drop=True)
        for name in ("example", "role", "prompt"):
            self.column(name)
        self._check_roles(roles)
        by_role = {role: self._table[self._table["role"] == role] for role in roles}
        self.examples = list(dict.fromkeys(self._table["example"]))
        self._lines = {
            role: torch.tensor(pd.Series(lines.index, lines["example"])[self.examples].to_numpy())
            for role, lines in by_role.items()
        }

    def _check_roles(self, roles: Sequence[str]) -> None:
        needed = f"it needs one line each of {', '.join(roles)}"
        for example, role in zip(self._table["example"], self._table["role"], strict=True):
            if role not in roles:
                raise UserError(f"example {example!r}: unknown role {role!r}; {needed}")
        counts = self._table.groupby(["example", "role"], sort=False).size().unstack(fill_value=0)
        for role in roles:
            wrong = (counts.index[counts[role] != 1] if role in counts else counts.index).tolist()
            if wrong:
                number = counts.loc[wrong[0], role] if role in counts else 0
                fix = "leave one of them" if number else "add it, or drop the example"
                raise UserError(f"example {wrong[0]!r}: {number} lines of {role}; {needed}: {fix}")

    def column(self, name: str) -> pd.Series:
        """A column that must be there, line by line."""
        if name not in self._table:
            raise UserError(f"the fine-tuning set has no column {name!r}; add it where it is made")
        return self._table[name]

    def of(self, role: str, values: Tensor) -> Tensor:
        """(E, ...) of the lines' `values` (N, ...)."""
        return values[self._lines[role]]

    def captions(self, encode: Encode) -> dict[str, Captions]:
        """Prompts by role, encoded once for all, the empty prompt after them."""
        texts = sorted(set(self.column("prompt")))
        encoded = encode([*texts, ""])
        number_of = {text: number for number, text in enumerate(texts)}
        numbers = torch.tensor([number_of[text] for text in self.column("prompt")])
        return {role: Captions(encoded, self.of(role, numbers)) for role in self._lines}

    def one_caption(self, encode: Encode) -> Captions:
        """The prompt that all pictures of an example share."""
        self.common(torch.tensor(pd.factorize(self.column("prompt"))[0]), "prompt")
        return next(iter(self.captions(encode).values()))

    def weights(self) -> Tensor:
        """(E,) float32, 1 unless there is a column `weight`; the same for all roles."""
        lines = self._table["weight"] if "weight" in self._table else np.ones(len(self._table))
        numbers = pd.to_numeric(lines, errors="coerce").astype("float32")
        return self.common(torch.tensor(np.asarray(numbers)), "weight")

    def common(self, values: Tensor, name: str) -> Tensor:
        """(E, ...) of the lines' `values`, which must be one value per example."""
        first, *others = (self.of(role, values) for role in self._lines)
        self.refuse(~first.isfinite(), f"its {name} is not finite; correct it")
        for other in others:
            self.refuse(first != other, f"its lines differ in {name}; give them the same")
        return first

    def latents(self, latents: Tensor) -> dict[str, Tensor]:
        """(E, C, h, w) by role. Raises UserError if one is not finite."""
        parts = {role: self.of(role, latents) for role in self._lines}
        for role, part in parts.items():
            bad = ~part.flatten(1).isfinite().all(1)
            if bad.any():
                line = int(self._lines[role][bad][0])
                raise UserError(
                    f"example {self.examples[int(bad.nonzero()[0])]!r}: the latent of its {role} "
                    f"(prompt {self._table['prompt'][line]!r}) is not finite; delete the prompt's "
                    "shard and rerun generate"
                )
        return parts

    def vectors(self, name: str) -> dict[str, Tensor]:
        """(E, D) float32 by role, of a column of float32 bytes.

        Raises UserError if they differ in length, or one has no direction.
        """
        lines = self.column(name)
        if lines.map(len).nunique() != 1:
            raise UserError(f"the fine-tuning set has {name} of different lengths; make them alike")
        values = np.frombuffer(b"".join(lines), np.float32).reshape(len(lines), -1)
        parts = {role: self.of(role, torch.tensor(values)) for role in self._lines}
        for role, part in parts.items():
            norms = part.norm(dim=1)
            bad = (norms == 0) | ~norms.isfinite()
            self.refuse(bad, f"the {name} of its {role} are 0 or not finite; make them again")
        return parts

    def refuse(self, bad: Tensor, reason: str) -> None:
        """Raises UserError with `reason` if `bad` (E,) marks an example; the first one is named."""
        if bad.any():
            raise UserError(f"example {self.examples[int(bad.nonzero()[0])]!r}: {reason}")
