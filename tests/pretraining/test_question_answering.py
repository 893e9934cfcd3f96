"""The shipped miniature of BLIP-VQA, through the metric itself."""

import numpy as np
import pytest
import torch

from mitune.metrics import BlipVqa
from mitune.metrics.blip_vqa_scorer import BlipVqaScorer
from mitune.miniature.caption import write
from mitune.miniature.description import sample_description
from mitune.miniature.layout import sample_scene
from mitune.miniature.question import KINDS
from mitune.miniature.render import render_all
from mitune.miniature.vocabulary import CATEGORIES
from mitune.pretraining.question_answering import audit_answers
from tests.conftest import SHIPPED


@pytest.fixture(scope="module")
def scorer() -> BlipVqaScorer:
    return BlipVqa(path=SHIPPED / "miniature-vqa", parser="miniature").load(torch.device("cpu"))


def test_it_answers(scorer: BlipVqaScorer) -> None:
    """Scenes that training has not seen; half of the answers are no."""
    table = audit_answers(scorer, per_kind=150, seed=11)
    right = table.groupby("kind")["right"].mean()
    assert set(right.index) == set(KINDS)
    assert (right > 0.92).all(), right.to_string()


@pytest.mark.parametrize("category", CATEGORIES)
def test_it_knows_every_word_of_the_prompts(scorer: BlipVqaScorer, category: str) -> None:
    rng = np.random.default_rng(0)
    described = [sample_description(category, rng) for _ in range(20)]
    images = render_all([sample_scene(description, rng) for description in described])
    found = scorer.answers(images, [write(description, rng) for description in described])
    for description, answers in zip(described, found, strict=True):
        assert len(answers.questions) == len(description.phrases)
