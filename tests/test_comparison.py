import pandas as pd
import pytest

from mitune.comparison import describe


def test_prompts_weigh_the_same_however_many_pictures_they_have() -> None:
    table = pd.DataFrame(
        {
            "prompt_id": ["a", "a", "a", "b", "c"],
            "category": ["color", "color", "color", "color", ""],
            "score": [0.0, 0.3, 0.6, 0.9, 0.3],
        }
    )
    found = describe(table, ["score"]).set_index("category")
    assert list(found.index) == ["color", "all"]  # a picture without a category counts in `all`
    assert found.loc["color", "mean"] == pytest.approx((0.3 + 0.9) / 2)
    assert found.loc["all", "mean"] == pytest.approx((0.3 + 0.9 + 0.3) / 3)
    assert list(found["prompts"]) == [2, 3] and list(found["images"]) == [4, 5]
    # Of two prompts the resampled mean is 0.3, 0.6 or 0.9 with chances 1/4, 1/2, 1/4.
    assert found.loc["color", ["low", "high"]].tolist() == pytest.approx([0.3, 0.9])
