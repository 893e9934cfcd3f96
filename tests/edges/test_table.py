"""What mitune cannot be asked for or given, each in its own words (`cases/*.yml`)."""

from pathlib import Path

import pytest

from tests.edges.conftest import CASES, Case, cases, edited, error_of, expected

EVERY = [case for table in sorted(CASES.glob("*.yml")) for case in cases(table.stem)]


@pytest.mark.parametrize("case", EVERY, ids=str)
def test_it_is_one_line(case: Case, world: Path) -> None:
    with edited(world, case.files):
        assert error_of(world, case.asked) in expected(world, case)
