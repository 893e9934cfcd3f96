"""The arms of the workflow: another one is another line here."""

from __future__ import annotations

from mitune.arm import Arm

MAX_ROUNDS = 3
_BLUES = ("#7fb0e6", "#2f6fc0", "#123a75")

BASE = Arm("base", "base", "#7d8590", round=0)

CONTROLS = (
    Arm("random_k", "random k", "#e08b3e", None, "round_1", "compose_random_k", "finetune",
        control=True),
    Arm("lowest_k", "lowest MI", "#b0413e", None, "round_1", "compose_lowest_k", "finetune",
        control=True),
)  # fmt: skip

ROUNDS = tuple(
    Arm(
        name=f"round_{number}",
        label=f"MI-TUNE R={number}",
        colour=_BLUES[number - 1],
        after=f"round_{number - 1}" if number > 1 else None,
        composition="compose",
        finetuning="finetune",
        round=number,
    )
    for number in range(1, MAX_ROUNDS + 1)
)


def _method(name: str, label: str, colour: str, composition: str, control: bool = False) -> Arm:
    """A way to fine-tune on the candidates of round 1; its settings are those of its name."""
    return Arm(
        name, label, colour, None, "round_1", composition, f"compare.methods.{name}",
        control=control,
    )  # fmt: skip


METHODS = (
    _method("sft", "SFT (MI-TUNE)", "#1f4e9c", "compose"),
    _method("sft_random", "SFT, random k", "#c9894b", "compose_random_k", control=True),
    _method("gors", "GORS", "#8a6d1f", "compose_weighted"),
    _method("dpo", "Diffusion-DPO", "#2a9d4a", "compose_pairs"),
    _method("dspo", "DSPO", "#6a3fa0", "compose_pairs"),
    _method("dspo_e", "DSPO-E", "#9b7fd1", "compose"),
    _method("dspo_ref", "DSPO-ref", "#c3a6e8", "compose_pairs"),
    _method("diff_contrast", "Diff-contrast", "#14746f", "compose_pairs"),
    _method("kto", "Diffusion-KTO", "#d1495b", "compose_labelled"),
    _method("mapo", "MaPO", "#e377a8", "compose_pairs"),
    _method("hn_itm", "HN-ITM", "#5c4033", "compose_negatives"),
    _method("d3po", "D3PO", "#3a9fbf", "compose"),
    _method("dpok", "DPOK", "#a3b42a", "compose"),
)


def arms_of(rounds: int) -> tuple[Arm, ...]:
    """Base, controls and so many rounds: what a report compares, in its order."""
    return (BASE, *CONTROLS, *ROUNDS[:rounds])


ARMS = {arm.name: arm for arm in (*arms_of(MAX_ROUNDS), *METHODS)}
