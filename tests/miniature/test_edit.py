"""Edits of scenes, and who can tell whether they were done."""

from dataclasses import replace

import numpy as np
import pytest

from mitune.miniature.caption import read
from mitune.miniature.description import sample_description
from mitune.miniature.edit import SceneEdit, editable, sample_edit
from mitune.miniature.edit_judge import EditJudge
from mitune.miniature.render import render_all
from mitune.miniature.scene import Scene
from tests.conftest import SHIPPED


@pytest.fixture(scope="module")
def judge() -> EditJudge:
    return EditJudge.load(SHIPPED / "miniature-judge" / "judge.safetensors")


def edits(category: str, count: int, seed: int = 0) -> list[SceneEdit]:
    rng = np.random.default_rng(seed)
    return [sample_edit(sample_description(category, rng), rng) for _ in range(count)]


@pytest.mark.parametrize("category", ["color", "shape", "texture", "2d_spatial", "complex"])
def test_one_attribute_of_one_thing_changes(category: str) -> None:
    for edit in edits(category, 50):
        differing = [a != b for a, b in zip(edit.before.things, edit.after.things, strict=True)]
        assert differing == [place == edit.changed for place in range(len(differing))]
        before, after = (scene.things[edit.changed] for scene in (edit.before, edit.after))
        assert replace(before, colour="", shape="", texture="") == replace(
            after, colour="", shape="", texture=""
        )
        assert edit.after.ground == edit.before.ground
        read(edit.caption)  # a prompt of the world


def test_instructions_are_english() -> None:
    texts = {edit.instruction for edit in edits("color", 40)}
    assert all(text.startswith("make the ") for text in texts) and len(texts) > 30
    for edit in edits("color", 20):
        old, new = (scene.things[edit.changed] for scene in (edit.before, edit.after))
        what = new.colour if new.colour != old.colour else f"a {new.shape}"
        assert edit.instruction == f"make the {old.colour} {old.shape} {what}"


def test_what_hangs_together_or_is_counted_is_not_edited() -> None:
    assert editable(read("a red circle and a blue square"))
    assert editable(read("a star left of a cross"))
    assert not editable(read("three red circles"))
    assert not editable(read("a red circle inside a blue square"))


@pytest.mark.parametrize("category", ["color", "shape"])
def test_the_judge_is_right_on_what_is_rendered(judge: EditJudge, category: str) -> None:
    """Done, not begun, done at the cost of another thing, and painted anew elsewhere."""
    given = edits(category, 60, seed=3)
    done = judge(render_all([e.after for e in given]), given)
    assert np.mean([v.edited and v.kept and v.done for v in done]) >= 0.98
    untouched = judge(render_all([e.before for e in given]), given)
    assert np.mean([not v.edited and v.kept for v in untouched]) >= 0.98
    lonely = [Scene((e.after.things[e.changed],)) for e in given]
    assert np.mean([v.edited and not v.kept for v in judge(render_all(lonely), given)]) >= 0.98
    mirrored = np.ascontiguousarray(render_all([e.after for e in given])[:, :, ::-1])
    assert np.mean([v.done for v in judge(mirrored, given)]) <= 0.1
