import os

os.environ["DO_NOT_TRACK"] = "1"
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

from pathlib import Path

import pytest
import torch

from mitune.backbones import ModelRef, open_backbone
from mitune.backbones.base import Backbone

ROOT = Path(__file__).parents[1]
SHIPPED = ROOT / "data" / "06_models"

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def model() -> ModelRef:
    """The shipped miniature."""
    return ModelRef(str(SHIPPED / "miniature-sd"), "shipped")


@pytest.fixture
def backbone(model: ModelRef) -> Backbone:
    return open_backbone(model, torch.device("cpu"))


@pytest.fixture(scope="session")
def shared_backbone(model: ModelRef) -> Backbone:
    """For tests that do not put adapters on it."""
    return open_backbone(model, torch.device("cpu"))
