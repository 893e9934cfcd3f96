"""How often fine-tuning asks the network: counted, not timed."""

from __future__ import annotations

import math
from typing import NamedTuple

from mitune.objectives import Online
from mitune.training.finetuning import Finetuning


class Budget(NamedTuple):
    """Of one training, on one latent each.

    `evaluations` are without gradients, those of its own `trajectories` included; `trained` with.
    """

    trajectories: int
    evaluations: int
    trained: int


def budget_of(settings: Finetuning) -> Budget:
    """What the objective's `passes` say, times all examples of all steps."""
    optimisation, objective = settings.optimisation, settings.objective
    examples = optimisation.steps * optimisation.batch_size
    passes = objective.passes
    evaluations = round(examples * passes.without_gradient)
    trajectories = 0
    if isinstance(objective, Online):
        trajectories = objective.rollouts * math.ceil(optimisation.steps / objective.every)
        evaluations += trajectories * objective.evaluations
    return Budget(trajectories, evaluations, round(examples * passes.with_gradient))
