import numpy as np
import pytest

from mitune.language import Reader, open_reader
from mitune.metrics.questions import SLOTS, clean, questions
from tests.conftest import ROOT

BENCHMARK = ROOT.parent / "shared/data/t2i_compbench"


@pytest.fixture(scope="module")
def reader() -> Reader:
    return open_reader("spacy", "parser")


def test_cleaning_is_the_official_one() -> None:
    assert clean('A "Red" (big) dog!?') == "a red big dog?"
    assert clean("a, b: c; *d* #e ~f? ") == "a, b c d e f?"
    assert clean(" ".join(["word"] * 60)).split(" ") == ["word"] * 50


@pytest.mark.parametrize(
    ("prompt", "asked"),
    [
        ("a dog on top of a car", ["a dog?", "a car?"]),
        ("a dog on the left of a car", ["a dog?", "a car?"]),
        ("a dog on the bottom of a car", ["a dog?", "the bottom?", "a car?"]),
        ("The left of a dog is its good side.", ["the left?", "a dog?", "its good side?"]),
        ("a dog in front of a car", ["a dog?", "front?", "a car?"]),
    ],
)
def test_four_phrases_of_place_are_dropped_by_their_exact_text(
    reader: Reader, prompt: str, asked: list[str]
) -> None:
    assert questions(prompt, reader) == asked


def test_the_ninth_phrase_is_not_asked() -> None:
    read = open_reader("miniature", "parser")
    things = [f"a {size} {colour} star" for size in ("big", "small")
              for colour in ("red", "green", "blue", "black", "cyan")]  # fmt: skip
    asked = [f"{thing}?" for thing in things]
    assert questions(" and ".join(things), read) == asked[:SLOTS] and len(asked) > SLOTS == 8


@pytest.mark.skipif(not BENCHMARK.is_dir(), reason="the benchmark's files are not at hand")
@pytest.mark.parametrize(
    ("name", "asked"), [("color_val", 678), ("shape_val", 743), ("texture_val", 716)]
)
def test_questions_of_the_benchmark(reader: Reader, name: str, asked: int) -> None:
    """As many as the published rule asks: no prompt is without one or cut off, two are usual."""
    prompts = (BENCHMARK / f"{name}.txt").read_text().split("\n")
    counts = [len(questions(p.strip(), reader)) for p in prompts if p.strip()]
    assert len(counts) == 300 and min(counts) >= 1 and max(counts) <= SLOTS
    assert np.median(counts) == 2
    assert sum(counts) == asked
