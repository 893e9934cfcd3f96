import sys

import pytest

from mitune.errors import UserError
from mitune.language.adjectives import open_dropper, without_adjectives
from tests.metrics.english import needs_spacy

# Of the benchmark's complex prompts (c) 2023 HKU, MIT licence; what is left was written by hand.
PROMPTS = {
    "The red hat was on top of the brown coat rack.": "The hat was on top of the coat rack.",
    "The leather wallet was inside the brown purse.": "The leather wallet was inside the purse.",
    "The soft pillow was on top of the hard rocking chair.":
        "The pillow was on top of the rocking chair.",
    "The silver laptop was on top of the black desk.": "The laptop was on top of the desk.",
    "The square coaster was next to the circular glass.": "The coaster was next to the glass.",
    "The bright yellow sunflower stood tall next to the soft green grass.":
        "The sunflower stood next to the grass.",
    "The rough square was nestled between the smooth rectangle and the bumpy sphere.":
        "The square was nestled between the rectangle and the sphere.",
    "The bright orange pumpkin sat next to the crisp green apples.":
        "The pumpkin sat next to the apples.",
    "The golden parallelogram was suspended in mid-air near the matte hexagon and the translucent "
    "oval.": "The parallelogram was suspended in mid-air near the hexagon and the oval.",
    "The colorful hot air balloon floated near the dark grey storm clouds.":
        "The air balloon floated near the storm clouds.",
    "a cold, dark cave": "a , cave",
    "the sky is blue": "the sky is ",
    "an orange and a lemon": "an orange and a lemon",
    "a giraffe next to a lamp": "a giraffe next to a lamp",
    "": "",
}  # fmt: skip


@pytest.mark.parametrize("prompt", PROMPTS)
def test_adjectives_are_left_out_and_nothing_else(prompt: str) -> None:
    assert without_adjectives(prompt) == PROMPTS[prompt]


@needs_spacy
def test_the_list_is_near_spacys_tags() -> None:
    """Word for word; the list need not be right everywhere, but must not drift away."""
    drop = open_dropper("spacy")
    pairs = [(drop(prompt).split(), without_adjectives(prompt)) for prompt in PROMPTS]
    same = [spacys == ours.replace(".", " .").split() for spacys, ours in pairs]
    assert sum(same) >= 0.7 * len(same)


def test_a_missing_spacy_is_said_of_the_field(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "spacy", None)
    with pytest.raises(UserError, match="adjectives: spacy is not installed; `pip install"):
        open_dropper("spacy")
