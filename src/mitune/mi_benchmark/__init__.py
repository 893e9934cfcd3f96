"""Forty tasks of known mutual information (Czyz et al. 2023), and estimators to try on them."""

from typing import Annotated, TypeAlias

from pydantic import Field

from mitune.mi_benchmark.base import Estimator, Samples, draw
from mitune.mi_benchmark.cca import CCA
from mitune.mi_benchmark.difference_of_entropies import DifferenceOfEntropies
from mitune.mi_benchmark.ksg import KSG
from mitune.mi_benchmark.minde import MINDE
from mitune.mi_benchmark.rfmi import RFMI
from mitune.mi_benchmark.tasks import TASKS, Task
from mitune.mi_benchmark.variational import Variational

__all__ = [
    "CCA",
    "KSG",
    "MINDE",
    "RFMI",
    "TASKS",
    "DifferenceOfEntropies",
    "Estimator",
    "EstimatorConfig",
    "Samples",
    "Task",
    "Variational",
    "draw",
]

EstimatorConfig: TypeAlias = Annotated[
    RFMI | MINDE | Variational | DifferenceOfEntropies | CCA | KSG, Field(discriminator="kind")
]
