import numpy as np
import pytest

from mitune.jobs.schedule import Conditions, simulate


def _simulate(jobs: list[float], devices: int, **conditions: float):  # type: ignore[no-untyped-def]
    return simulate(jobs, devices, Conditions(**conditions), np.random.default_rng(0))


@pytest.mark.parametrize("devices", [1, 2, 5, 10])
def test_equal_jobs_take_rounds_after_the_start(devices: int) -> None:
    found = _simulate([3.0] * 10, devices, start=7.0)
    assert found.seconds == 7 + 3 * -(-10 // devices)
    assert found.worked == 30 and found.started == 7 * devices and found.lost == 0


def test_more_devices_than_jobs_are_of_no_use() -> None:
    few, many = _simulate([3.0] * 10, 10), _simulate([3.0] * 10, 1000)
    assert few.seconds == many.seconds == 3 and few.efficiency == 1.0
    assert many.efficiency == pytest.approx(0.01)


def test_the_largest_comes_first() -> None:
    """In the order given the last one would begin at 2 and end at 8."""
    assert _simulate([1.0, 1.0, 1.0, 1.0, 6.0], 2).seconds == 6


def test_spread_keeps_the_mean() -> None:
    found = _simulate([1.0] * 20_000, 1, spread=0.5)
    assert found.worked == pytest.approx(20_000, rel=0.02)


def test_a_failure_costs_what_it_interrupts_and_no_job() -> None:
    """With rate r an attempt at a job of s seconds survives with probability exp(-r s)."""
    jobs, rate = [100.0] * 5_000, 18.0  # per hour: a mean of 200 s
    found = _simulate(jobs, 10, failures=rate)
    assert found.worked == pytest.approx(sum(jobs))
    survival = np.exp(-100 * rate / 3600)
    cut_off = 3600 / rate - 100 * survival / (1 - survival)  # mean of the failed attempts
    assert found.lost == pytest.approx(len(jobs) * (1 / survival - 1) * cut_off, rel=0.05)
    assert found.seconds >= (found.worked + found.lost) / 10
