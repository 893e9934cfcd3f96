import pandas as pd

from mitune.pipelines.report.page import verdict


def _rows(**differences: tuple[float, float, float]) -> pd.DataFrame:
    rows = [("judge", category, *d) for category, d in differences.items()]
    names = ["metric", "category", "difference", "difference_low", "difference_high"]
    return pd.DataFrame(rows, columns=names)


def test_a_difference_is_named_only_if_its_interval_leaves_zero() -> None:
    found = verdict("R=1", _rows(all=(0.05, 0.01, 0.09), color=(0.1, -0.01, 0.2)), "judge")
    assert found == "R=1 is 5.0 points of judge above the base (+1.0 to +9.0)."


def test_no_difference_is_said_to_be_none_and_a_fall_is_not_hidden() -> None:
    rows = _rows(all=(0.01, -0.02, 0.04), color=(0.1, 0.02, 0.2), numeracy=(-0.2, -0.3, -0.1))
    assert verdict("R=2", rows, "judge") == (
        "On judge, R=2 cannot be told from the base (-2.0 to +4.0 points). "
        "It rises in color (+10.0). It falls in numeracy (-20.0)."
    )
