"""What launchers leave in the environment does not change what is trained."""

import os

from mitune.hooks.environment import EnvironmentHooks


def test_variables_of_accelerate_are_not_heeded(monkeypatch, caplog) -> None:
    monkeypatch.setenv("ACCELERATE_GRADIENT_ACCUMULATION_STEPS", "4")
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "bf16")
    monkeypatch.setenv("WORLD_SIZE", "8")
    EnvironmentHooks().after_context_created(None)
    assert not {n for n in os.environ if n.startswith("ACCELERATE_") or n == "WORLD_SIZE"}
    assert caplog.messages == [
        "ACCELERATE_GRADIENT_ACCUMULATION_STEPS, ACCELERATE_MIXED_PRECISION, WORLD_SIZE: not "
        "heeded; finetune and resources say how to train"
    ]
    EnvironmentHooks().after_context_created(None)
    assert len(caplog.messages) == 1


def test_accelerate_divides_no_gradient_then(monkeypatch) -> None:
    from accelerate import Accelerator

    monkeypatch.setenv("ACCELERATE_GRADIENT_ACCUMULATION_STEPS", "4")
    EnvironmentHooks().after_context_created(None)
    assert Accelerator(cpu=True).gradient_accumulation_steps == 1
