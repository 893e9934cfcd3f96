import json
from pathlib import Path

import pandas as pd
import pytest
import torch
from kedro.io import DatasetError, Version
from matplotlib.figure import Figure
from safetensors.torch import load_file, save_file

from mitune.backbones import AdapterRef
from mitune.datasets import (
    AdapterDataset,
    FigureDataset,
    FinishedShardsDataset,
    FolderDataset,
    ModelDataset,
    NoAdapterDataset,
    RecordDataset,
    ShardsDataset,
    WorkspaceDataset,
)
from mitune.datasets.adapters import AdaptersDataset
from mitune.training.adapter_weights import WEIGHTS, digest


def _shard(key: str) -> pd.DataFrame:
    table = pd.DataFrame({"image_index": [0, 1], "latent": [b"ab", b"cd"]})
    table.attrs = {"key": key, "latent_shape": [1, 1, 1]}
    return table


def test_shards_come_back_with_their_key(tmp_path: Path) -> None:
    shards = ShardsDataset(filepath=str(tmp_path))
    finished = FinishedShardsDataset(filepath=str(tmp_path))
    assert not shards.exists() and finished.exists() and not finished.load()
    shards.save({"one": _shard("k1")})
    shards.save({"two": _shard("k2")})
    loaded = finished.load()
    assert [loaded.count("one", k) for k in ("k1", "k2")] == [2, 0]
    assert loaded.count("two", "k2") == 2 and loaded.count("three", "k3") == 0
    assert list(loaded) == ["one", "two"]
    pd.testing.assert_frame_equal(loaded["one"], _shard("k1"))
    assert loaded["one"].attrs["latent_shape"] == [1, 1, 1]
    assert "three" not in loaded


def test_a_finished_shard_is_found_by_its_key_wherever_it_lies(tmp_path: Path) -> None:
    ours, theirs = (
        ShardsDataset(filepath=str(tmp_path / f"04_feature/main/{arm}/candidates"))
        for arm in ("round_1", "study")
    )
    workspace = WorkspaceDataset(
        filepath=str(tmp_path), shards=["04_feature/main"], adapters="06", scratch="02/scratch"
    ).load()
    assert workspace.scratch == tmp_path / "02/scratch" and workspace.scratch.is_dir()
    assert not workspace.shards({"one": "k1"})
    theirs.save({"one": _shard("k1"), "two": _shard("k2"), "three": _shard("k3")})
    ours.save({"one": _shard("k1").head(1), "two": _shard("old")})
    keys = {"one": "k1", "two": "k2"}
    found = workspace.shards(keys)
    assert set(found) == set(keys) and len(found["one"]) == 2  # the longer of two
    kept = _written(ours.load().files["two"])
    ours.save({"one": found.files["one"], "two": ours.load().files["two"]})
    pd.testing.assert_frame_equal(ours.load()["one"], _shard("k1"))
    assert _written(ours.load().files["two"]) == kept  # what is there already is not written
    theirs.load().files["one"].write_bytes(b"cut off")
    assert workspace.shards(keys).files["one"] == ours.load().files["one"]


def _written(file: Path) -> tuple[int, int]:
    return file.stat().st_ino, file.stat().st_mtime_ns


def test_a_truncated_shard_has_no_key_and_is_named(tmp_path: Path) -> None:
    shards = ShardsDataset(filepath=str(tmp_path))
    shards.save({"one": _shard("k1"), "two": _shard("k2")})
    file = tmp_path / "one.parquet"
    file.write_bytes(file.read_bytes()[:-20])
    assert [shards.load().count(*pair) for pair in (("one", "k1"), ("two", "k2"))] == [0, 2]
    with pytest.raises(DatasetError, match=r"one\.parquet: truncated"):
        shards.load()["one"]


def test_a_full_disk_is_one_line_and_keeps_what_is_done(tmp_path: Path, monkeypatch) -> None:
    shards = ShardsDataset(filepath=str(tmp_path))
    shards.save({"one": _shard("k1")})

    def full(self, path, **_):
        Path(path).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pd.DataFrame, "to_parquet", full)
    with pytest.raises(DatasetError, match="No space left on device") as caught:
        shards.save({"two": _shard("k2")})
    assert "\n" not in str(caught.value)
    monkeypatch.undo()
    assert list(shards.load()) == ["one"]
    assert not list(tmp_path.glob("*.partial"))


def _adapter(folder: Path, content: bytes = b"weights", round_: int = 1) -> AdapterRef:
    folder.mkdir(parents=True)
    save_file({"x": torch.tensor(list(content))}, folder / WEIGHTS)
    facts = {"digest": digest(folder), "round": round_}
    (folder / "adapter.json").write_text(json.dumps(facts))
    return AdapterRef(str(folder))


def _content(folder: Path) -> bytes:
    return bytes(load_file(folder / WEIGHTS)["x"].tolist())


def test_an_adapter_moves_into_place_and_replaces_the_old_one(tmp_path: Path) -> None:
    dataset = AdapterDataset(filepath=str(tmp_path / "kept" / "adapter"))
    assert not dataset.exists()
    dataset.save(_adapter(tmp_path / "a", b"first"))
    dataset.save(_adapter(tmp_path / "b", b"second", round_=2))
    loaded = dataset.load()
    assert loaded.round == 2 and loaded.digest == digest(tmp_path / "kept" / "adapter")
    assert _content(tmp_path / "kept" / "adapter") == b"second"
    assert [p.name for p in (tmp_path / "kept").iterdir()] == ["adapter"]


@pytest.mark.parametrize(("grow", "left"), [(True, ["a_0.001", "a_0.002"]), (False, ["a_0.001"])])
def test_several_adapters_are_kept_or_replaced(tmp_path: Path, grow: bool, left: list[str]) -> None:
    dataset = AdaptersDataset(filepath=str(tmp_path / "points"), grow=grow)
    dataset.save({"a_0.002": _adapter(tmp_path / "1", b"first")})
    dataset.save({"a_0.001": _adapter(tmp_path / "2", b"second")})
    dataset.save({"a_0.001": _adapter(tmp_path / "3", b"third")})
    assert list(dataset.load()) == left
    assert _content(tmp_path / "points/a_0.001") == b"third"
    dataset.save({})
    assert list(dataset.load()) == (left if grow else [])


def test_versions_of_an_adapter_are_kept_apart(tmp_path: Path) -> None:
    def dataset(load: str | None, save: str | None) -> AdapterDataset:
        return AdapterDataset(filepath=str(tmp_path / "adapter"), version=Version(load, save))

    assert not dataset(None, None).exists()
    for save, content in (("2026-01-01", b"first"), ("2026-01-02", b"second")):
        dataset(None, save).save(_adapter(tmp_path / save, content))
    assert dataset(None, None).list_versions(full_path=False) == ["2026-01-02", "2026-01-01"]
    for load, content in ((None, b"second"), ("2026-01-01", b"first")):
        path = dataset(load, None).load().path
        assert path is not None and _content(Path(path)) == content


def test_a_changed_adapter_is_noticed(tmp_path: Path) -> None:
    dataset = AdapterDataset(filepath=str(tmp_path / "adapter"))
    dataset.save(_adapter(tmp_path / "a"))
    weights = tmp_path / "adapter" / WEIGHTS
    for damaged in (weights.read_bytes()[:-3], b""):
        weights.write_bytes(damaged)
        with pytest.raises(DatasetError, match="rerun"):
            dataset.load()
    save_file({"x": torch.zeros(2)}, weights)
    with pytest.raises(DatasetError, match="truncated or changed"):
        dataset.load()


def test_the_base_model_is_round_zero() -> None:
    assert NoAdapterDataset().load() == AdapterRef(None, "base", 0)


def test_a_models_digest_follows_its_contents(tmp_path: Path) -> None:
    (tmp_path / "unet").mkdir()
    (tmp_path / "unet" / "w.safetensors").write_bytes(b"1")
    dataset = ModelDataset(path=str(tmp_path))
    first = dataset.load().digest
    assert dataset.load().digest == first
    (tmp_path / "unet" / "w.safetensors").write_bytes(b"2")
    assert dataset.load().digest != first


def test_a_hub_id_is_taken_as_it_was_written(tmp_path: Path) -> None:
    """Kedro makes `path` absolute; a folder of that name goes first, and a revision is needed."""
    absolute = tmp_path / "org" / "model"
    given = ModelDataset(path=str(absolute), hub_id="org/model", revision="abc")
    found = given.load()
    assert (found.path, found.digest, found.from_hub) == ("org/model", "org/model@abc", True)
    assert given.exists()
    unnamed = ModelDataset(path=str(absolute), hub_id="org/model")
    assert unnamed.load().path == str(absolute) and not unnamed.exists()
    absolute.mkdir(parents=True)
    assert given.load().path == str(absolute) and not given.load().from_hub


def test_folders_and_records(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="not found"):
        FolderDataset(filepath=str(tmp_path / "x")).load()
    assert FolderDataset(filepath=str(tmp_path / "x"), create=True).load().is_dir()
    record = RecordDataset(filepath=str(tmp_path / "r.json"))
    assert record.load() == {}
    record.save({"a": 1})
    assert record.load() == {"a": 1}


def test_a_figure_is_a_png_with_a_preview(tmp_path: Path) -> None:
    dataset = FigureDataset(filepath=str(tmp_path / "f.png"))
    figure = Figure()
    figure.subplots().plot([1, 2])
    dataset.save(figure)
    assert dataset.load().startswith(b"\x89PNG")
    assert len(dataset.preview()) > 100
