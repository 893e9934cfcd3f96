import numpy as np
import pandas as pd
import pytest

from mitune.racing import Bound, Rule, Share, race, replay_races, spread


def _field(prompts: int, spacing: float, images: int = 16, draws: int = 32) -> list[np.ndarray]:
    """Increments of candidates whose means are `spacing` apart; levels differ far more."""
    rng = np.random.default_rng(0)
    levels = 10 * rng.normal(size=draws)
    means = spacing * np.arange(images)[:, None]
    return [rng.permuted(means) + levels + rng.normal(size=(images, draws)) for _ in range(prompts)]


def _shards(fields: list[np.ndarray], estimator: str = "information") -> dict[str, pd.DataFrame]:
    shards = {}
    for number, increments in enumerate(fields):
        table = pd.DataFrame({f"{estimator}_increments": list(increments)})
        table.attrs = {"log_snr": {estimator: list(range(increments.shape[1]))}}
        shards[f"p{number}"] = table
    return shards


def test_a_clear_race_is_short_and_its_cost_is_counted() -> None:
    increments = np.repeat([[1.0], [9.0], [2.0], [3.0]], 8, axis=1)
    increments += 0.01 * np.random.default_rng(1).normal(size=increments.shape)
    winners, taken = race(increments, [2, 4], Bound(0.05), 1)
    assert list(winners) == [1] and taken == 4 * 2 + 1 * 6
    winners, taken = race(increments, [2, 4], Share(0.5), 1)
    assert list(winners) == [1] and taken == 4 * 2 + 2 * 2 + 1 * 4
    winners, taken = race(increments, [4], Share(0.1), 2)
    assert list(winners) == [1, 3] and taken == 4 * 4 + 2 * 4


@pytest.mark.parametrize("rule", [Bound(1e-12), Share(1.0)])
def test_who_drops_nobody_chooses_as_if_all_were_scored(rule: Rule) -> None:
    for increments in _field(5, 0.05):
        winners, taken = race(increments, [8, 16, 24], rule, 3)
        assert list(winners) == list(np.argsort(-increments.sum(1))[:3])
        assert taken == increments.size


@pytest.mark.parametrize("error", [0.2, 0.05])
def test_the_bound_holds_where_two_are_alike(error: float) -> None:
    """The better of two equal ones is dropped at one rung in at most `error` of all cases."""
    rng = np.random.default_rng(2)
    dropped = 0
    for _ in range(4000):
        increments = rng.normal(size=(2, 16))
        best = int(increments.sum(1).argmax())
        dropped += not Bound(error).goes_on(increments[:, :8], 16, 1)[best]
    # The winner of the whole is ahead on average, so less than `error` x 1/2 is expected ...
    assert dropped / 4000 < error / 2
    assert dropped > 0  # ... and the rule is not so careful that it does nothing


def test_fewer_evaluations_where_candidates_are_apart() -> None:
    table = replay_races(_shards(_field(30, 0.3)), [Bound(0.05), Share(0.5)], 3, 1)
    bound, share = table.iloc[0], table.iloc[1]
    assert bound["evaluations"] < 0.6 and bound["kept"] > 0.95 and bound["same"] > 0.9
    assert share["evaluations"] == pytest.approx((16 + 8 + 4 + 2) / 4 / 16)
    close = replay_races(_shards(_field(30, 0.02)), [Bound(0.05)], 3, 1).iloc[0]
    assert close["evaluations"] > bound["evaluations"]
    assert 0.5 < close["gain_kept"] <= 1.0


def test_steps_of_a_path_come_in_their_order_and_have_no_bound() -> None:
    increments = np.array([[5.0, 0.0, 0.0, 0.0], [0.0, 9.0, 0.0, 0.0]])
    table = replay_races(_shards([increments], "path"), [Bound(0.05), Share(0.5)], 3, 1)
    assert list(table["rule"]) == ["best 0.5"]
    assert table.iloc[0]["kept"] == pytest.approx(5 / 9)  # the second is dropped after one step
    assert table.iloc[0]["evaluations"] == pytest.approx((2 + 3) / 8)


def test_every_beginning_is_spread() -> None:
    assert list(spread(8)) == [0, 4, 2, 6, 1, 5, 3, 7]
    for count in range(1, 50):
        order = spread(count)
        assert sorted(order) == list(range(count))
        gaps = np.diff(np.sort(np.r_[-1, order[: count // 2 + 1], count]))
        assert gaps.max() <= 4
