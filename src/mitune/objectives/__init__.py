"""Fine-tuning losses, one file each; the union is the registry, one line per method."""

from typing import Annotated, TypeAlias

from pydantic import Field

from mitune.objectives.base import Losses, MetricChoice, Objective, Passes, Whole
from mitune.objectives.d3po import D3PO
from mitune.objectives.diff_contrast import DiffContrast
from mitune.objectives.diffusion_dpo import DiffusionDPO
from mitune.objectives.diffusion_kto import DiffusionKTO
from mitune.objectives.dpok import DPOK
from mitune.objectives.draws import Draws
from mitune.objectives.dspo import DSPO
from mitune.objectives.dspo_energy import DSPOEnergy
from mitune.objectives.dspo_ref import DSPORef
from mitune.objectives.hn_itm import HNITM
from mitune.objectives.mapo import MaPO
from mitune.objectives.online import Online
from mitune.objectives.policy import Policy
from mitune.objectives.sft import SFT

__all__ = [
    "SFT",
    "Draws",
    "Losses",
    "MetricChoice",
    "Objective",
    "ObjectiveConfig",
    "Online",
    "Passes",
    "Policy",
    "Whole",
]

ObjectiveConfig: TypeAlias = Annotated[
    SFT
    | DiffusionDPO
    | DSPO
    | DSPOEnergy
    | DSPORef
    | MaPO
    | DiffContrast
    | DiffusionKTO
    | HNITM
    | D3PO
    | DPOK,
    Field(discriminator="kind"),
]
