"""An arm: one model in a comparison, and all that is named after it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Arm:
    """One model in a comparison; pipelines, datasets, labels, colours and runs follow from it.

    Attributes
    ----------
    name
        Of its datasets, `{name}.evaluation`, and of its child run.
    label
        For readers.
    colour
        Of its line in every figure, as matplotlib reads it.
    after
        The arm whose adapter it starts from, and that paints its candidates; None: the base model.
    candidates_of
        The arm from whose candidates it chooses; None: its own.
    composition, finetuning
        Parameter blocks: how it chooses and how it trains. None: it is not trained.
    guidance
        Parameter block: how its test images are made.
    round
        Its place on the curve over rounds, 0 for the base model; None: it has none.
    control
        Whether other trained arms are held against it: the same budget, another choice.
    reward_used
        Whether a metric chose what it, or an arm that it stands on, was trained on, or was
        trained for. It follows from the parameters (`pipelines.shared.rewards`).
    """

    name: str
    label: str
    colour: str
    after: str | None = None
    candidates_of: str | None = None
    composition: str | None = None
    finetuning: str | None = None
    guidance: str = "evaluate"
    round: int | None = None
    control: bool = False
    reward_used: bool = False

    @property
    def trained(self) -> bool:
        """Whether it has an adapter of its own."""
        return self.finetuning is not None

    @property
    def adapter_in(self) -> str:
        """Dataset: the adapter that it starts from."""
        return "base_adapter" if self.after is None else f"{self.after}.adapter"

    @property
    def adapter(self) -> str:
        """Dataset: the adapter that makes its test images."""
        return f"{self.name}.adapter" if self.trained else self.adapter_in

    @property
    def title(self) -> str:
        """Its label, with a dagger if a reward was used."""
        return f"{self.label} †" if self.reward_used else self.label
