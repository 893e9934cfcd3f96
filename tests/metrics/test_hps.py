from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from huggingface_hub import constants
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from mitune.metrics import ClipScore, HpsScore, MetricConfig, MetricError
from mitune.metrics.padded_pixels import PaddedPixels
from mitune.metrics.pixels import CLIP_MEAN, CLIP_STD
from tests.metrics import by_hand
from tests.metrics.conftest import TOKENIZER
from tests.metrics.open_clip_by_hand import SIZE, State

CPU = torch.device("cpu")
Images = NDArray[np.uint8]


def scorer(path: Path, **settings: Any) -> Callable[[Images, list[str]], NDArray[np.float64]]:
    settings = {"version": "v2.1", "tokenizer": TOKENIZER, **settings}
    return HpsScore(path=path, **settings).load(CPU)


@pytest.fixture
def released(clip_state: State, tmp_path: Path) -> Path:
    """As the authors publish it: float16 under `state_dict`."""
    file = tmp_path / "HPS_v2.1_compressed.pt"
    torch.save({"state_dict": {k: v.half() for k, v in clip_state.items()}}, file)
    return file


def test_released_file_gives_the_cosine_written_out(
    released: Path, clip_state: State, images: Images, prompts: list[str]
) -> None:
    half = {name: value.half().float() for name, value in clip_state.items()}
    pairs = zip(images, prompts, strict=True)
    expected = [by_hand.cosine(half, by_hand.padded(i, SIZE), p) for i, p in pairs]
    np.testing.assert_allclose(scorer(released)(images, prompts), expected, atol=2e-5)
    np.testing.assert_allclose(scorer(released.parent)(images, prompts), expected, atol=2e-5)
    assert np.ptp(expected) > 0.01


def test_saved_folder_gives_the_same(
    clip_folder: Path, clip_state: State, images: Images, prompts: list[str]
) -> None:
    pairs = zip(images, prompts, strict=True)
    expected = [by_hand.cosine(clip_state, by_hand.padded(i, SIZE), p) for i, p in pairs]
    np.testing.assert_allclose(scorer(clip_folder)(images, prompts), expected, atol=2e-5)


def test_batches_order_and_memory_do_not_matter(
    clip_folder: Path, images: Images, prompts: list[str]
) -> None:
    score = scorer(clip_folder, batch_size=7)
    expected = score(images, prompts)
    np.testing.assert_allclose(
        scorer(clip_folder, batch_size=1)(images, prompts), expected, atol=1e-5
    )
    np.testing.assert_array_equal(score(images, prompts), expected)  # texts now remembered
    order = np.random.default_rng(0).permutation(7)
    shuffled = score(images[order], [prompts[i] for i in order])
    np.testing.assert_allclose(shuffled, expected[order], atol=1e-5)


def test_padding_is_not_cropping(clip_folder: Path, images: Images, prompts: list[str]) -> None:
    crop = ClipScore(path=clip_folder, mean=CLIP_MEAN, std=CLIP_STD).load(CPU)
    pad = scorer(clip_folder)
    assert np.abs(crop(images, prompts) - pad(images, prompts)).max() > 0.01


def test_antialias_is_seen_and_named(clip_folder: Path, images: Images, prompts: list[str]) -> None:
    with_, without = (scorer(clip_folder, antialias=on) for on in (True, False))
    assert np.abs(with_(images, prompts) - without(images, prompts)).max() > 1e-3
    named = HpsScore(path=clip_folder, version="v2.0", antialias=False).provenance
    assert named["antialias"] == "False"
    assert named["version"] == "v2.0"


def test_without_antialias_most_pixels_are_ignored() -> None:
    image = np.zeros((1, 64, 64, 3), np.uint8)
    image[:, ::8] = image[:, :, ::8] = 255  # on every eighth line only, where no sample falls
    black = PaddedPixels(8, antialias=False)(np.zeros_like(image))
    torch.testing.assert_close(PaddedPixels(8, antialias=False)(image), black)
    assert (PaddedPixels(8, antialias=True)(image) - black).abs().max() > 0.5


@pytest.mark.parametrize(("height", "width"), [(32, 20), (9, 32), (50, 33), (32, 32)])
def test_every_shape_becomes_square(height: int, width: int) -> None:
    image = np.random.default_rng(0).integers(0, 256, (1, height, width, 3), np.uint8)
    found = PaddedPixels(32)(image)[0]
    torch.testing.assert_close(found, by_hand.padded(image[0], 32), atol=1e-4, rtol=0)


def test_version_has_no_default(clip_folder: Path) -> None:
    config: dict[str, object] = {"kind": "hps", "path": clip_folder}
    adapter: TypeAdapter[Any] = TypeAdapter(MetricConfig)
    with pytest.raises(ValidationError, match="version"):
        adapter.validate_python(config)
    assert adapter.validate_python({**config, "version": "v2.0"}).version == "v2.0"


def test_file_of_the_other_version_is_refused(released: Path) -> None:
    with pytest.raises(MetricError, match=r"HPS_v2\.1_compressed\.pt: is HPS v2\.1, but") as caught:
        scorer(released, version="v2.0")
    assert "\n" not in str(caught.value)


def test_damaged_or_missing_file_is_one_line(released: Path, tmp_path: Path) -> None:
    released.write_bytes(released.read_bytes()[:5000])
    for path in (released, tmp_path / "absent.pt"):
        with pytest.raises(MetricError, match=path.name) as caught:
            scorer(path)
        assert "\n" not in str(caught.value)


def test_pickled_code_is_not_run(tmp_path: Path) -> None:
    class Harm:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (tmp_path / "harmed",)

    torch.save({"state_dict": Harm()}, tmp_path / "x.pt")
    with pytest.raises(MetricError, match=r"x\.pt"):
        scorer(tmp_path / "x.pt")
    assert not (tmp_path / "harmed").exists()


def test_hub_repository_gives_the_file_of_the_version(
    released: Path,
    images: Images,
    prompts: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    commit = "697403c78157020a1ae59d23f111aa58ced35b0a"
    folder = tmp_path / "models--xswu--HPSv2" / "snapshots" / commit
    folder.mkdir(parents=True)
    released.rename(folder / released.name)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    score = scorer(Path("xswu/HPSv2"), revision=commit)
    np.testing.assert_array_equal(
        score(images, prompts), scorer(folder / released.name)(images, prompts)
    )
    with pytest.raises(MetricError, match="xswu/HPSv2") as caught:  # v2.0 is not in the cache
        scorer(Path("xswu/HPSv2"), revision=commit, version="v2.0")
    assert "\n" not in str(caught.value)
