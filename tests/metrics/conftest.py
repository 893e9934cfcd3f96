from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from transformers import AutoTokenizer

from mitune.metrics.open_clip import from_open_clip
from tests.conftest import SHIPPED
from tests.metrics import open_clip_by_hand

TOKENIZER = SHIPPED / "miniature-clip"
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)


@pytest.fixture
def images() -> NDArray[np.uint8]:
    """Seven smooth pictures, wider than high."""
    coarse = np.random.default_rng(0).random((7, 5, 7, 3))
    fine = coarse.repeat(8, axis=1).repeat(8, axis=2)
    return (255 * fine).astype(np.uint8)


@pytest.fixture
def prompts() -> list[str]:
    """Seven, two of them the same."""
    colours = ["red", "green", "blue", "red", "yellow", "white", "black"]
    return [f"a {colour} circle above a square" for colour in colours]


@pytest.fixture(scope="session")
def clip_state() -> open_clip_by_hand.State:
    return open_clip_by_hand.random_state()


@pytest.fixture(scope="session")
def clip_folder(
    clip_state: open_clip_by_hand.State, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The same weights as transformers saves them."""
    folder = tmp_path_factory.mktemp("clip")
    from_open_clip(clip_state, torch.float32, folder).save_pretrained(folder)
    AutoTokenizer.from_pretrained(TOKENIZER).save_pretrained(folder)
    return folder
