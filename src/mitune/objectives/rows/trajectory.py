"""The way of a sampler from noise to a picture, and what the picture is worth."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from typing_extensions import Self

from mitune.errors import UserError
from mitune.objectives.rows.base import Captions, Encode, Rows
from mitune.objectives.rows.table import ExampleTable


@dataclass(frozen=True, eq=False)
class Trajectory(Rows):
    """`states` (E, S + 1, C, h, w): from noise to the picture, in S transitions.

    `times` (E, S): the timestep that a transition starts at. `log_probs` (E, S): its log-density
    under the policy that drew it. `rewards` (E,): of the picture.
    """

    roles: ClassVar[tuple[str, ...]] = ()  # a role is a step, "0" to "S"; S is the table's own

    states: Tensor
    times: Tensor
    log_probs: Tensor
    captions: Captions
    rewards: Tensor

    @classmethod
    def read(cls, table: pd.DataFrame, latents: Tensor, encode: Encode) -> Self:
        """As `Rows.read`: a line per state; `label` is the reward, the same for all of them.

        Columns `t` and `log_prob` say how a state is left; those of the last one do not count.
        """
        if "role" not in table:
            raise UserError("the fine-tuning set has no column 'role'; add it where it is made")
        table = table.assign(role=table["role"].astype(str))
        roles = tuple(map(str, range(table["role"].nunique())))
        examples = ExampleTable(table, roles)
        states = examples.latents(latents)

        def left(name: str) -> Tensor:
            lines = torch.tensor(np.asarray(examples.column(name), np.float32))
            return torch.stack([examples.of(role, lines) for role in roles[:-1]], 1)

        labels = torch.tensor(np.asarray(examples.column("label"), np.float32))
        return cls(
            torch.stack([states[role] for role in roles], 1),
            left("t"),
            left("log_prob"),
            examples.one_caption(encode),
            examples.common(labels, "label"),
        )

    @property
    def latent_shape(self) -> torch.Size:
        """(C, h, w)."""
        return self.states.shape[2:]

    def without_captions(self, which: Tensor) -> Self:
        """As `Rows.without_captions`."""
        return replace(self, captions=self.captions.dropped(which))
