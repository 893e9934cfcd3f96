"""What follows from an arm: datasets, and whether a metric had a hand in it."""

from dataclasses import replace

import pytest

from mitune.arm import Arm
from mitune.composition import Labelled, Pairs, RandomK, TopK, Weighted
from mitune.objectives import SFT
from mitune.objectives.diff_contrast import DiffContrast
from mitune.objectives.dpok import DPOK
from mitune.pipelines.arms import ARMS, BASE, CONTROLS, ROUNDS, arms_of
from mitune.pipelines.report.nodes import contrasts
from mitune.pipelines.report.page import reward_note
from mitune.pipelines.report.rewards import describe_arms
from mitune.pipelines.rounds import create_arm
from mitune.pipelines.shared.arms import read_arms, rewarded, uses_reward

TRAINED = [arm.name for arm in arms_of(2) if arm.trained]


def test_datasets_follow_from_the_arm() -> None:
    assert (BASE.adapter, BASE.trained) == ("base_adapter", False)
    assert (ROUNDS[1].adapter_in, ROUNDS[1].adapter) == ("round_1.adapter", "round_2.adapter")
    guided = Arm("guided", "guided", "#000000", after="round_2", guidance="evaluate_guided")
    *nodes, show = sorted(create_arm(guided).nodes, key=lambda node: node.name)
    assert (show.name, show.inputs) == ("guided.show", ["guided.samples"])
    assert all(node.name.startswith("guided.evaluate") for node in nodes)
    for node in nodes:
        assert {"round_2.adapter", "params:evaluate_guided"} <= set(node.inputs)


def test_names_and_colours_are_nobody_elses() -> None:
    for facts in ("name", "label", "colour"):
        assert len({getattr(arm, facts) for arm in ARMS.values()}) == len(ARMS)


def test_a_new_arm_is_a_line() -> None:
    lowest = next(arm for arm in CONTROLS if arm.name == "lowest_k")
    another = replace(lowest, name="dpo", label="DPO", finetuning="finetune_dpo", control=False)
    nodes = {node.name: node for node in create_arm(another).nodes}
    assert "params:finetune_dpo" in nodes["dpo.finetune.train"].inputs
    assert {"round_1.scores", "params:compose_lowest_k"} == set(nodes["dpo.compose.compose"].inputs)
    pairs = [(a.name, b.name) for a, b in contrasts((BASE, *CONTROLS, another))]
    assert pairs == [("lowest_k", "random_k"), ("dpo", "random_k"), ("dpo", "lowest_k")]


@pytest.mark.parametrize(
    ("composition", "used"),
    [
        (TopK(score="information"), False),
        (TopK(score="path"), False),
        (RandomK(), False),
        (TopK(score="judge"), True),
        (Pairs(score="information"), False),
        (Labelled(score={"information": 1.0, "path": 2.0}), False),
        (Labelled(score={"information": 1.0, "judge": 2.0}), True),
        (Weighted(score="clip", threshold=0.5), True),
    ],
)
def test_a_choice_by_what_is_no_estimate_of_mi_is_a_reward(composition, used: bool) -> None:
    assert uses_reward(composition, SFT()) is used


def test_an_objective_that_is_given_a_reward_uses_one() -> None:
    assert uses_reward(RandomK(), DPOK()) is True
    assert uses_reward(RandomK(), DiffContrast()) is False


def test_a_reward_is_passed_on_to_what_stands_on_it() -> None:
    arms = arms_of(2)
    own = dict.fromkeys(TRAINED, False)
    assert rewarded(arms, own) == set()
    assert rewarded(arms, own | {"round_1": True}) == {"round_1", "round_2"}
    # random_k chooses from candidates of round 1, which the base paints: none of it is round 1's.
    assert rewarded(arms, own | {"random_k": True}) == {"random_k"}
    late = Arm("late", "late", "#000000", None, "round_2", "compose", "finetune")
    assert rewarded((*arms, late), own | {"round_1": True}) == {"round_1", "round_2", "late"}


def test_every_table_and_the_page_say_so() -> None:
    arms = arms_of(2)
    clean = read_arms(describe_arms(arms)(*[False] * len(TRAINED)))
    assert clean == arms and "No metric was used" in reward_note(clean)
    used = [name == "round_2" for name in TRAINED]
    marked = read_arms(describe_arms(arms)(*used))
    assert [arm.title for arm in marked if "†" in arm.title] == ["MI-TUNE R=2 †"]
    assert "what MI-TUNE R=2 learned from" in reward_note(marked)
