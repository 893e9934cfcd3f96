"""Reference pictures: rendered from prompts, or read from a folder."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from mitune.metrics import MetricError
from mitune.metrics.distances import CMMD
from mitune.metrics.embedders import ClipImage
from mitune.metrics.features import embed
from mitune.metrics.quality import Quality
from mitune.metrics.references import PictureFolder, Rendered
from mitune.miniature.judge import Judge
from tests.conftest import SHIPPED

PROMPTS = pd.DataFrame(
    {
        "prompt_id": ["a", "b", "c"],
        "prompt": ["a red circle and a blue square", "two green stars", "a star above a cross"],
    }
)


def test_rendered_pictures_show_their_prompts_and_the_control_is_another_draw() -> None:
    reference = Rendered(per_prompt=4)
    judge = Judge.load(SHIPPED / "miniature-judge/judge.safetensors")
    first = list(reference.pictures(PROMPTS))
    for (images, units), row in zip(first, PROMPTS.itertuples(), strict=True):
        assert images.shape == (4, 64, 64, 3) and set(units) == {row.prompt_id}
        assert np.mean([j.score for j in judge(images, [row.prompt] * 4)]) > 0.7
        assert len({x.tobytes() for x in images}) == 4
    again = list(Rendered(per_prompt=4).pictures(PROMPTS))
    assert all((a[0] == b[0]).all() for a, b in zip(first, again, strict=True))
    for other in (reference.control(PROMPTS, 4), Rendered(per_prompt=4, seed=1).pictures(PROMPTS)):
        assert all((a[0] != b[0]).any() for a, b in zip(first, other, strict=True))


def test_prompts_of_another_world_need_a_folder() -> None:
    prompts = PROMPTS.assign(prompt="a photograph of a lighthouse")
    with pytest.raises(MetricError, match=r"'photograph'.*kind: folder") as caught:
        next(Rendered().pictures(prompts))
    assert "\n" not in str(caught.value)


def test_a_folder_of_pictures_of_several_sizes_and_modes(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    (tmp_path / "deeper").mkdir()
    colour = rng.integers(0, 256, (8, 12, 3), np.uint8)
    Image.fromarray(colour).save(tmp_path / "b.png")
    Image.fromarray(colour[..., 0]).save(tmp_path / "deeper/grey.PNG")
    Image.fromarray(colour[:6]).save(tmp_path / "a.jpg")
    (tmp_path / "notes.txt").write_text("no picture")
    parts = list(PictureFolder(path=tmp_path).pictures(PROMPTS))
    assert [images.shape for images, _ in parts] == [(1, 6, 12, 3), (2, 8, 12, 3)]
    assert [list(units) for _, units in parts] == [["a.jpg"], ["b.png", "deeper/grey.PNG"]]
    assert (parts[1][0][0] == colour).all() and (parts[1][0][1] == colour[..., :1]).all()
    assert not list(PictureFolder(path=tmp_path).control(PROMPTS, 2))


def test_a_folder_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(MetricError, match="no pictures"):
        list(PictureFolder(path=tmp_path / "nowhere").pictures(PROMPTS))
    (tmp_path / "broken.png").write_bytes(b"\x89PNG cut off")
    with pytest.raises(MetricError, match=r"broken.png: cannot be read"):
        list(PictureFolder(path=tmp_path).pictures(PROMPTS))


def test_a_quality_refuses_statistics_of_another_embedder() -> None:
    embedder = ClipImage(path=SHIPPED / "miniature-clip")
    other = embedder.model_copy(update={"std": (0.25, 0.25, 0.25)})
    pictures = list(Rendered(per_prompt=2).pictures(PROMPTS))
    found = embed(pictures, {"own": embedder, "other": other}, torch.device("cpu"))
    quality = Quality(embedder=embedder, distance=CMMD())
    assert quality.compare(found["own"], found["own"]).value == pytest.approx(0, abs=1e-9)
    with pytest.raises(MetricError, match="reference: made with std"):
        quality.compare(found["own"], found["other"])
