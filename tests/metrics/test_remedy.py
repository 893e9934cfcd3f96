"""What is missing is what is named, with the fix that is right for it; nothing is downloaded."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub import constants
from pydantic import TypeAdapter

from mitune.errors import UserError
from mitune.metrics import MetricConfig, MetricError
from mitune.metrics.embedders import EmbedderConfig
from mitune.metrics.remedy import remedy
from mitune.pipelines.quality.parameters import QualitySettings
from mitune.pipelines.shared import preflight
from mitune.pipelines.shared.metrics import Metrics
from tests.metrics import blip_by_hand, open_clip_by_hand
from tests.metrics.conftest import TOKENIZER

CPU = torch.device("cpu")
BERT = "google-bert/bert-base-uncased"
HUB = "is not in the local cache and the hub cannot be reached or lacks it; download it"
COMMIT = "697403c78157020a1ae59d23f111aa58ced35b0a"


@pytest.fixture(autouse=True)
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No hub, and nothing in its cache."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)


def metric(**fields: Any) -> Any:
    return TypeAdapter(MetricConfig).validate_python(fields)


def said(load: Callable[[torch.device], object]) -> str:
    with pytest.raises(MetricError) as caught:
        load(CPU)
    assert "\n" not in str(caught.value) and "metrics.*" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def reward(tmp_path: Path) -> Path:
    torch.save(blip_by_hand.random_state(15), tmp_path / "ImageReward.pt")
    return tmp_path / "ImageReward.pt"


@pytest.fixture
def hps(tmp_path: Path, clip_state: open_clip_by_hand.State) -> Path:
    torch.save({"state_dict": clip_state}, tmp_path / "HPS_v2.1_compressed.pt")
    return tmp_path / "HPS_v2.1_compressed.pt"


def test_a_missing_tokenizer_is_not_blamed_on_the_weights(reward: Path, hps: Path) -> None:
    found = said(metric(kind="image_reward", path=reward).load)
    assert found.startswith(f"{BERT}: the tokenizer {HUB} (`hf download {BERT} --revision 86b5e0")
    found = said(metric(kind="hps", version="v2.1", path=hps).load)
    assert found.startswith(f"openai/clip-vit-large-patch14: the tokenizer {HUB}")


def test_a_tokenizers_folder_is_looked_for_and_counts(reward: Path, hps: Path) -> None:
    folder = reward.parent / "bert"
    for given in ({"kind": "image_reward", "path": reward},
                  {"kind": "hps", "path": hps, "version": "v2.1"}):  # fmt: skip
        found = said(metric(**given, tokenizer=folder).load)
        assert found.startswith(f"{folder}: the tokenizer is not there; correct the path")
        metrics = Metrics(scorers={"it": {**given, "tokenizer": folder}})
        assert metrics.files == (given["path"], folder)
        with pytest.raises(UserError, match=r"scorers\.it\.tokenizer: .*bert not found"):
            preflight.check_metrics(metrics)
        assert metric(**given).files == {"path": given["path"]}  # the hub's


def test_a_saved_folder_has_a_tokenizer_of_its_own(clip_folder: Path) -> None:
    given = metric(kind="hps", path=clip_folder, version="v2.1", tokenizer=TOKENIZER)
    assert given.files == {"path": clip_folder}


RELEASED = {
    "hps": ({"version": "v2.0"}, "xswu/HPSv2", "HPS_v2_compressed.pt"),
    "image_reward": ({}, "THUDM/ImageReward", "ImageReward.pt"),
}


@pytest.mark.parametrize("kind", RELEASED)
def test_a_released_file_is_named_with_its_repository(kind: str, tmp_path: Path) -> None:
    more, repository, file = RELEASED[kind]
    found = said(metric(kind=kind, path=repository, revision=COMMIT, **more).load)
    assert found.startswith(f"{repository}: {file} {HUB} ")
    assert f"(`hf download {repository} {file} --revision {COMMIT}`) or give a local" in found
    for path in (tmp_path, tmp_path / file):  # a folder without it, and the file
        found = said(metric(kind=kind, path=path, **more).load)
        assert found.startswith(f"{tmp_path / file}: ")
        assert found.endswith(
            f"download it (`hf download {repository} {file} --local-dir {tmp_path}`)"
        )


NETWORKS = {
    "clip_score": "openai/clip-vit-base-patch32",
    "pick_score": "yuvalkirstain/PickScore_v1",
    "blip_vqa": "Salesforce/blip-vqa-capfilt-large",
}


@pytest.mark.parametrize("kind", NETWORKS)
def test_a_hub_id_is_to_be_downloaded(kind: str) -> None:
    name = NETWORKS[kind]
    found = said(metric(kind=kind, path=name, revision=COMMIT).load)
    assert found.startswith(f"{name}: the ") and "git checkout" not in found
    assert f"{HUB} (`hf download {name} --revision {COMMIT}`) or give a local folder" in found


@pytest.mark.parametrize("kind", ["clip", "dino"])
def test_embedders_say_the_same(kind: str) -> None:
    given = {"kind": kind, "path": "facebook/dinov2-large", "revision": COMMIT}
    config = TypeAdapter(EmbedderConfig).validate_python(given)
    assert HUB in said(config.load)


def test_a_shipped_network_is_restored_and_no_other() -> None:
    assert remedy(Path("data/06_models/miniature-clip")) == (
        "restore it with `git checkout -- data/06_models/miniature-clip`"
    )
    assert "git checkout" not in remedy(Path("data/06_models/mine"))
    measures = {
        "mine": {"embedder": {"kind": "clip", "path": "nowhere"}, "distance": {"kind": "cmmd"}}
    }
    with pytest.raises(UserError, match=r"quality\.measures\.mine\.embedder\.path: ") as caught:
        preflight.check_quality(QualitySettings(measures=measures))
    assert "git checkout" not in str(caught.value)


def test_the_original_of_blip_needs_its_words(tmp_path: Path) -> None:
    file = tmp_path / "model_base_vqa_capfilt_large.pth"
    found = said(metric(kind="blip_vqa", path=file).load)
    assert found.startswith(f"{file}: ") and "storage.googleapis.com" in found
    given = metric(kind="blip_vqa", path=file)
    assert given.files == {"path": file, "vocabulary": tmp_path / "vocab.txt"}
    with pytest.raises(UserError, match=r"vqa\.path: .*googleapis"):
        preflight.check_metrics(Metrics(scorers={"vqa": given}))
    file.touch()
    with pytest.raises(UserError, match=rf"vocab\.txt not found; download it .*{BERT}"):
        preflight.check_metrics(Metrics(scorers={"vqa": given}))
