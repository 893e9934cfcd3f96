from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from mitune.metrics import Aesthetic, MetricError
from mitune.metrics.affine import Affine
from tests.metrics import by_hand
from tests.metrics.open_clip_by_hand import SIZE, State, image_vectors

CPU = torch.device("cpu")
Images = NDArray[np.uint8]


def mlp(width: int) -> nn.Module:
    """The released head: dropout, which does nothing here, but takes numbers of layers."""
    torch.manual_seed(0)
    drop = nn.Dropout
    module = nn.Module()
    module.layers = nn.Sequential(
        nn.Linear(width, 1024), drop(0.2), nn.Linear(1024, 128), drop(0.2),
        nn.Linear(128, 64), drop(0.1), nn.Linear(64, 16), nn.Linear(16, 1),
    )  # fmt: skip
    return module.eval()


@pytest.fixture
def head(tmp_path: Path) -> Path:
    file = tmp_path / "sac+logos+ava1-l14-linearMSE.pth"
    torch.save(mlp(48).state_dict(), file)
    return file


def test_folded_map_equals_the_layers() -> None:
    net = mlp(768)
    features = torch.randn(50, 768)
    with torch.no_grad():
        expected = net.layers(features).squeeze(-1)
    found = Affine.folded(net.state_dict(), "layers.")(features)
    np.testing.assert_allclose(found.numpy(), expected.numpy(), atol=1e-5)
    assert np.ptp(expected.numpy()) > 1e-2


def test_equals_the_rating_written_out_and_ignores_the_prompt(
    clip_folder: Path, clip_state: State, head: Path, images: Images, prompts: list[str]
) -> None:
    expected = []
    for image in images:
        vector = image_vectors(clip_state, by_hand.cropped(image, SIZE)[None])
        with torch.no_grad():
            expected.append(float(mlp(48).layers(vector / vector.norm())))
    score = Aesthetic(path=clip_folder, head=head).load(CPU)
    found = score(images, prompts)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert np.ptp(expected) > 1e-3
    np.testing.assert_array_equal(score(images, prompts[::-1]), found)


def test_batches_and_order_do_not_matter(
    clip_folder: Path, head: Path, images: Images, prompts: list[str]
) -> None:
    one, all_ = (
        Aesthetic(path=clip_folder, head=head, batch_size=size).load(CPU) for size in (1, 7)
    )
    expected = all_(images, prompts)
    np.testing.assert_allclose(one(images, prompts), expected, atol=1e-6)
    np.testing.assert_allclose(all_(images[::-1], prompts), expected[::-1], atol=1e-6)


def test_numbers_depend_on_both_files(clip_folder: Path, head: Path) -> None:
    assert Aesthetic(path=clip_folder, head=head).files == {"path": clip_folder, "head": head}
    hub = Aesthetic(path=Path("openai/clip-vit-large-patch14"), revision="32bd642", head=head)
    assert hub.files == {"head": head}


@pytest.mark.parametrize("damage", ["missing", "truncated", "foreign", "other width"])
def test_wrong_head_is_one_line(clip_folder: Path, head: Path, damage: str) -> None:
    if damage == "missing":
        head.unlink()
    elif damage == "truncated":
        head.write_bytes(head.read_bytes()[:1000])
    else:
        torch.save({"x": torch.zeros(1)} if damage == "foreign" else mlp(50).state_dict(), head)
    with pytest.raises(MetricError, match="linearMSE") as caught:
        Aesthetic(path=clip_folder, head=head).load(CPU)
    assert "\n" not in str(caught.value)
