import pytest

from mitune.language.nouns import singular
from mitune.language.relations import read_relation
from mitune.metrics.spatial_2d import OFFICIAL_WORDINGS, WORDINGS
from mitune.metrics.spatial_3d import WORDINGS as IN_DEPTH


def test_singulars_of_the_benchmarks_and_other_plurals() -> None:
    plurals = (
        "airplanes knives women men people mice fish sheep deer shrimp goldfish peaches couches "
        "strawberries butterflies tomatoes buses boxes vases houses horses glasses watches shoes "
        "leaves geese children televisions firemen crosses toys keys breads"
    )
    singulars = (
        "airplane knife woman man person mouse fish sheep deer shrimp goldfish peach couch "
        "strawberry butterfly tomato bus box vase house horse glass watch shoe "
        "leaf goose child television fireman cross toy key bread"
    )
    assert [singular(word) for word in plurals.split()] == singulars.split()


def test_singulars_stay() -> None:
    words = "glass bus octopus tennis lens sheep dress cross canvas vase house man bee goose"
    assert [singular(word) for word in words.split()] == words.split()
    assert singular("traffic lights") == "traffic light"


@pytest.mark.parametrize(
    ("prompt", "wording", "first", "second"),
    [
        ("a bird on side of a airplane", "on side of", "bird", "airplane"),
        ("a girl on the top of a frog", "on the top of", "girl", "frog"),
        ("The fluffy cat is on the left of the soft pillow.", "on the left of", "fluffy cat",
         "soft pillow"),
        ("The sleek black cat sat on top of the fluffy white pillow.", "on top of",
         "sleek black cat", "fluffy white pillow"),
        ("The bright yellow sunflower stood tall next to the soft green grass.", "next to",
         "bright yellow sunflower", "soft green grass"),
        ("The cat snuggled up next to the blanket and the dog", "next to", "cat", "blanket"),
        ("two red circles on the right of three blue squares, drawn", "on the right of",
         "red circle", "blue square"),
        ("a dog lying near a building", "near", "dog", "building"),
    ],
)  # fmt: skip
def test_relations_of_the_benchmark(prompt: str, wording: str, first: str, second: str) -> None:
    found = read_relation(prompt, OFFICIAL_WORDINGS)
    assert found is not None
    assert (found.words, found.first, found.second) == (wording, first, second)


def test_relations_beyond_the_benchmark() -> None:
    for wording in ("above", "to the left of", "right of", "under", "underneath", "below", "over"):
        prompt = f"a picture of a red circle {wording} a star"
        found = read_relation(prompt, WORDINGS)
        assert found is not None and found.words == wording
        assert (found.first, found.second) == ("red circle", "star")
        assert read_relation(prompt, OFFICIAL_WORDINGS) is None


def test_single_nouns_and_people() -> None:
    found = read_relation("a little girl hidden by two old women", IN_DEPTH)
    assert found is not None
    assert (found.first, found.second) == ("little girl", "old woman")
    assert (found.nouns.first, found.nouns.second) == ("person", "person")


@pytest.mark.parametrize(
    "prompt", ["a red car", "next to a dog", "a cat near", "", "a nearby cat and a dog"]
)
def test_nothing_is_read_where_there_is_no_relation(prompt: str) -> None:
    assert read_relation(prompt, WORDINGS) is None
