from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from transformers import AutoTokenizer, CLIPModel
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from mitune.metrics import MetricError, PickScore
from tests.metrics import by_hand
from tests.metrics.open_clip_by_hand import SIZE, State

CPU = torch.device("cpu")
Images = NDArray[np.uint8]


def test_equals_a_hundred_cosines_written_out(
    clip_folder: Path, clip_state: State, images: Images, prompts: list[str]
) -> None:
    pairs = zip(images, prompts, strict=True)
    expected = [100 * by_hand.cosine(clip_state, by_hand.cropped(i, SIZE), p) for i, p in pairs]
    found = PickScore(path=clip_folder).load(CPU)(images, prompts)
    np.testing.assert_allclose(found, expected, atol=2e-3)
    assert np.ptp(expected) > 1


def test_pictures_are_cut_as_the_readmes_processor_does(clip_folder: Path) -> None:
    """Three columns too many: one and a half on each side."""
    image = np.random.default_rng(0).integers(0, 256, (1, SIZE, SIZE + 3, 3), dtype=np.uint8)
    sides = {"size": {"shortest_edge": SIZE}, "crop_size": {"height": SIZE, "width": SIZE}}
    pixels = CLIPImageProcessorPil(**sides)(image[0], return_tensors="pt")["pixel_values"]
    model = CLIPModel.from_pretrained(clip_folder).eval()
    ids = AutoTokenizer.from_pretrained(clip_folder)(
        ["a red circle"], padding="max_length", truncation=True, return_tensors="pt"
    )
    with torch.no_grad():
        expected = model(pixel_values=pixels, **ids).logits_per_image.item()
    found = PickScore(path=clip_folder).load(CPU)(image, ["a red circle"])
    assert found[0] == pytest.approx(expected, abs=1e-3)


def test_batches_order_and_memory_do_not_matter(
    clip_folder: Path, images: Images, prompts: list[str]
) -> None:
    score = PickScore(path=clip_folder, batch_size=7).load(CPU)
    expected = score(images, prompts)
    one = PickScore(path=clip_folder, batch_size=1).load(CPU)(images, prompts)
    np.testing.assert_allclose(one, expected, atol=1e-3)
    np.testing.assert_array_equal(score(images, prompts), expected)
    shuffled = score(images[::-1], prompts[::-1])
    np.testing.assert_allclose(shuffled, expected[::-1], atol=1e-3)


def test_missing_folder_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(MetricError, match="absent") as caught:
        PickScore(path=tmp_path / "absent").load(CPU)
    assert "\n" not in str(caught.value)
