"""The arms of style alignment: one stage, and a preference loss or more of the same after SFT."""

from __future__ import annotations

from mitune.arm import Arm
from mitune.pipelines.arms import BASE

_SFT, _DPO, _CONTRAST = "finetune_style_sft", "finetune_style_dpo", "finetune_style_contrast"

STYLE_BASE = Arm("style_base", BASE.label, BASE.colour)
ONE_STAGE = (
    Arm("style_sft", "SFT", "#e08b3e", finetuning=_SFT),
    Arm("style_dpo", "Diffusion-DPO", "#7fb0e6", finetuning=_DPO),
    Arm("style_contrast", "Diff-contrast", "#8fce9a", finetuning=_CONTRAST),
)
TWO_STAGE = (
    Arm("style_sft_sft", "SFT, SFT", "#b0413e", "style_sft", finetuning=_SFT, control=True),
    Arm("style_sft_dpo", "SFT, Diffusion-DPO", "#2f6fc0", "style_sft", finetuning=_DPO),
    Arm("style_sft_contrast", "SFT, Diff-contrast", "#2a9d4a", "style_sft", finetuning=_CONTRAST),
)
STYLE_ARMS = (STYLE_BASE, *ONE_STAGE, *TWO_STAGE)
