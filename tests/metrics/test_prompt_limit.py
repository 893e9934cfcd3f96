"""Who compares scores must know which prompts were not read to their end."""

import logging

import numpy as np
import torch

from mitune.metrics import ClipScore
from tests.conftest import SHIPPED

CLIP = SHIPPED / "miniature-clip"
START = "a red circle and a blue square on the left of a green star "
LONG = [START * 3 + end for end in ("and a cross", "and a star")]


def test_two_prompts_that_differ_past_the_limit_get_one_number_and_a_line(caplog) -> None:
    score = ClipScore(path=CLIP, mean=(0.5,) * 3, std=(0.5,) * 3).load(torch.device("cpu"))
    pictures = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), np.uint8)
    pictures[1] = pictures[0]
    with caplog.at_level(logging.WARNING):
        first, second = score(pictures, LONG)
        score(pictures, LONG)  # each prompt is told of once
        other, _ = score(pictures, ["a red circle", "a blue square"])
    assert first == second != other
    (said,) = caplog.messages
    assert said == (
        f"{CLIP}: reads 24 tokens; of 2 prompts it does not read the end, the first is {LONG[0]!r}"
    )
