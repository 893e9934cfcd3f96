"""Statistics of pictures: merged, saved, read back, and refused."""

from pathlib import Path

import numpy as np
import pytest

from mitune.metrics import MetricError
from mitune.metrics import features as module
from mitune.metrics.features import Features, Moments, load_statistics, save_statistics

OF = {"kind": "clip", "path": "here"}


@pytest.fixture
def some() -> Features:
    vectors = np.random.default_rng(0).normal(size=(50, 7)) * 3 + 100
    return Features(vectors, np.array([f"p{i // 2}" for i in range(50)]), OF)


@pytest.mark.parametrize("block", [1, 13, 50])
def test_moments_of_parts_are_those_of_the_whole(
    some: Features, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_BLOCK", block)
    found = Moments.of(some)
    np.testing.assert_allclose(found.mean, some.vectors.mean(0), rtol=1e-13)
    np.testing.assert_allclose(found.covariance, np.cov(some.vectors.T), rtol=1e-10, atol=1e-12)
    assert found.n == 50


def test_what_is_saved_is_read_back(some: Features, tmp_path: Path) -> None:
    save_statistics(tmp_path / "a/features.npz", some)
    found = load_statistics(tmp_path / "a/features.npz", OF)
    assert isinstance(found, Features)
    assert (found.vectors == some.vectors).all() and (found.units == some.units).all()

    save_statistics(tmp_path / "moments.npz", Moments.of(some))
    read = load_statistics(tmp_path / "moments.npz", OF)
    assert isinstance(read, Moments) and read.n == 50 and dict(read.provenance) == OF
    assert (read.scatter == Moments.of(some).scatter).all()
    assert not list(tmp_path.rglob("*.partial"))


def test_statistics_of_another_embedder_are_refused(some: Features, tmp_path: Path) -> None:
    save_statistics(tmp_path / "x.npz", some)
    with pytest.raises(MetricError) as caught:
        load_statistics(tmp_path / "x.npz", {**OF, "path": "there"})
    assert "x.npz: made with path 'here', not 'there'" in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises(MetricError, match="made with dtype None, not 'float16'"):
        load_statistics(tmp_path / "x.npz", {**OF, "dtype": "float16"})
    other = Features(some.vectors, some.units, {"kind": "dino"})
    with pytest.raises(MetricError, match="made with kind 'dino', not 'clip'"):
        Moments.of(some) + Moments.of(other)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut off", b"no archive at all"])
def test_a_broken_file_is_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.npz").write_bytes(content)
    with pytest.raises(MetricError, match=r"x.npz: no statistics of pictures"):
        load_statistics(tmp_path / "x.npz")
