import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from transformers import BertTokenizer

from mitune.metrics import ImageReward, MetricError
from mitune.weights import WeightsError
from tests.metrics import blip_by_hand, by_hand

CPU = torch.device("cpu")
Images = NDArray[np.uint8]
Score = Callable[[Images, list[str]], NDArray[np.float64]]
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = ["a", "above", "black", "blue", "circle", "green", "red", "square", "white", "yellow"]
WEIGHTS = "MITUNE_IMAGE_REWARD"


@pytest.fixture(scope="module")
def state() -> blip_by_hand.State:
    return blip_by_hand.random_state(len(SPECIAL + WORDS))


@pytest.fixture(scope="module")
def folder(state: blip_by_hand.State, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reward")
    torch.save(state, folder / "ImageReward.pt")
    vocabulary = {word: number for number, word in enumerate(SPECIAL + WORDS)}
    BertTokenizer(vocab=vocabulary).save_pretrained(folder / "bert")
    return folder


def scorer(folder: Path, file: str = "ImageReward.pt", **settings: Any) -> Score:
    return ImageReward(path=folder / file, tokenizer=folder / "bert", **settings).load(CPU)


def ids(prompt: str) -> torch.Tensor:
    """[CLS] words [SEP], 35 at most, no padding."""
    words = [(SPECIAL + WORDS).index(word) for word in prompt.lower().split()]
    return torch.tensor([2, *words[:33], 3])


def test_equals_the_network_written_out_without_padding(
    folder: Path, state: blip_by_hand.State, images: Images, prompts: list[str]
) -> None:
    prompts = [*prompts[:5], "red", "A green circle " * 20]
    expected = [
        blip_by_hand.reward(state, ids(prompt), by_hand.cropped(image, blip_by_hand.SIZE))
        for image, prompt in zip(images, prompts, strict=True)
    ]
    np.testing.assert_allclose(scorer(folder)(images, prompts), expected, atol=1e-4)
    assert np.ptp(expected) > 0.1


def test_batches_and_order_do_not_matter(folder: Path, images: Images, prompts: list[str]) -> None:
    score = scorer(folder, batch_size=7)
    expected = score(images, prompts)
    np.testing.assert_allclose(scorer(folder, batch_size=1)(images, prompts), expected, atol=1e-5)
    order = np.random.default_rng(0).permutation(7)
    shuffled = score(images[order], [prompts[i] for i in order])
    np.testing.assert_allclose(shuffled, expected[order], atol=1e-5)


def test_picture_and_prompt_both_count(folder: Path, images: Images, prompts: list[str]) -> None:
    score = scorer(folder)
    same = np.repeat(images[:1], 7, axis=0)
    assert np.ptp(score(same, prompts)) > 1e-3
    assert np.ptp(score(images, [prompts[0]] * 7)) > 1e-3


def test_what_follows_the_35th_token_is_not_read(folder: Path, images: Images) -> None:
    score = scorer(folder)
    start = " ".join(["red circle"] * 16) + " above"  # 33 words and two special tokens
    three = [start, start + " blue square", start.replace("above", "green")]
    first, longer, other = score(np.repeat(images[:1], 3, axis=0), three)
    assert first == pytest.approx(longer, abs=1e-6)
    assert first != pytest.approx(other, abs=1e-4)


@pytest.mark.parametrize("damage", ["missing", "truncated", "foreign", "one tensor less"])
def test_wrong_file_is_one_line(
    folder: Path, state: blip_by_hand.State, tmp_path: Path, damage: str
) -> None:
    file = tmp_path / "damaged.pt"
    if damage == "truncated":
        file.write_bytes((folder / "ImageReward.pt").read_bytes()[:100_000])
    elif damage == "foreign":
        torch.save({"weight": torch.zeros(3)}, file)
    elif damage == "one tensor less":
        lost = "blip.text_encoder.encoder.layer.1.crossattention.self.query.weight"
        torch.save({name: value for name, value in state.items() if name != lost}, file)
    with pytest.raises((MetricError, WeightsError), match=r"damaged\.pt") as caught:
        ImageReward(path=file, tokenizer=folder / "bert").load(CPU)
    assert "\n" not in str(caught.value)


@pytest.mark.weights
@pytest.mark.skipif(
    WEIGHTS not in os.environ,
    reason=f"{WEIGHTS} does not name a folder with ImageReward.pt, bert/ and 1.webp ... 4.webp",
)
def test_readme_of_the_released_weights() -> None:
    folder = Path(os.environ[WEIGHTS])
    prompt = "a painting of an ocean with clouds and birds, day time, low depth field effect"
    score = scorer(folder)
    found = [
        score(np.asarray(Image.open(folder / f"{n}.webp").convert("RGB"))[None], [prompt])[0]
        for n in range(1, 5)
    ]
    np.testing.assert_allclose(found, [0.5812, 0.2745, -1.4132, -2.0296], atol=5e-3)
