import numpy as np
import pytest

from mitune.language import open_reader
from mitune.metrics.questions import questions
from mitune.miniature.description import NounPhrase
from mitune.miniature.question import KINDS, ask, holds
from mitune.miniature.scene import Scene, Thing
from mitune.pretraining.data import any_scene
from mitune.pretraining.tokenizer import build_word_tokenizer

RED = Thing("circle", "red", "striped", 20.0, 20.0, 13.0)
BLUE = Thing("star", "blue", "plain", 45.0, 45.0, 9.0)
UNSURE = Thing("square", "blue", "plain", 45.0, 15.0, 10.8)
SCENE = Scene((RED, BLUE, UNSURE))


@pytest.mark.parametrize(
    ("phrase", "truth"),
    [
        (NounPhrase("circle"), True),
        (NounPhrase("triangle"), False),
        (NounPhrase("circle", "blue"), False),
        (NounPhrase("circle", texture="striped"), True),
        (NounPhrase("star", texture="striped"), False),
        (NounPhrase("circle", "red", "striped", "big"), True),
        (NounPhrase("circle", "red", size="small"), False),
        (NounPhrase("star", size="small"), True),
        (NounPhrase("square", size="small"), None),
        (NounPhrase("star", count=1), True),
        (NounPhrase("star", count=2), False),
        (NounPhrase(None, "blue", count=2), True),
        (NounPhrase(None, "blue", count=1), False),
    ],
)
def test_truth_is_what_the_scene_has(phrase: NounPhrase, truth: bool | None) -> None:
    assert holds(phrase, SCENE) is truth


def test_questions_are_balanced_true_and_in_the_words_of_the_metric() -> None:
    rng, reader = np.random.default_rng(0), open_reader("miniature", "parser")
    tokenizer = build_word_tokenizer()
    scenes = [scene for scene in (any_scene(rng, 0.3) for _ in range(250)) if scene.things]
    asked = [(scene, ask(scene, rng)) for scene in scenes for _ in range(8)]
    for kind in KINDS:
        answers = [question.truth for _, question in asked if question.kind == kind]
        assert len(answers) > 100 and 0.4 < np.mean(answers) < 0.6, kind
    for scene, question in asked:
        assert questions(question.text[:-1], reader) == [question.text]
        assert tokenizer.unk_token_id not in tokenizer(question.text).input_ids
        if question.kind == "shape":
            assert question.truth == any(t.shape in question.text for t in scene.things)
        if question.kind == "colour":
            named = {f"{t.colour} {t.shape}?" for t in scene.things}
            assert question.truth == (question.text.split(" ", 1)[1] in named)
