"""Shards, checkpoints and records with bytes flipped, cut and swapped: whole, or not there."""

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from kedro.io import DatasetError
from torch import nn

from mitune.datasets import RecordDataset, ShardsDataset, WorkspaceDataset
from mitune.datasets.shard_file import read_shard, write_shard
from mitune.datasets.shards import is_whole
from mitune.lineage.records import Ingredients, Record, Records
from mitune.training.checkpoint import Checkpoint, RunState, TrainingStep
from mitune.training.task import EachAlone

TRIED = 300


def damages(content: bytes, tried: int = TRIED) -> Iterator[bytes]:
    """`content` with a bit flipped, cut short, or two stretches swapped, each in many places."""
    chance = random.Random(0)
    for _ in range(tried):
        flipped = bytearray(content)
        flipped[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        yield bytes(flipped)
        yield content[: chance.randrange(len(content))]
        first, second = sorted(chance.sample(range(len(content) - 8), 2))
        swapped = bytearray(content)
        swapped[first : first + 8], swapped[second : second + 8] = (
            content[second : second + 8],
            content[first : first + 8],
        )
        if swapped != content:
            yield bytes(swapped)


def _shard() -> pd.DataFrame:
    table = pd.DataFrame(
        {
            "prompt_id": ["a", "a"],
            "prompt": ["un café, NA", "un café, NA"],
            "image_index": [0, 1],
            "seed": [2**62, 5],
            "latent": [b"\0ab" * 9, b"\xffcd" * 9],
            "path": [0.1, float("nan")],
            "path_increments": [np.array([1.5, 2.5], "f4"), np.array([0.0, -0.0], "f4")],
        }
    )
    table.attrs = {"key": "k", "latent_shape": [1, 3, 9], "log_snr": {"path": [0.5, 1.5]}}
    return table


def test_a_shard_is_what_was_written_or_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.parquet"
    write_shard(_shard(), file)
    whole = read_shard(file)
    pd.testing.assert_frame_equal(whole, _shard())
    assert whole.attrs == _shard().attrs and _shard().attrs == {**_shard().attrs}
    content, refused = file.read_bytes(), 0
    for damaged in damages(content):
        file.write_bytes(damaged)
        try:
            found = read_shard(file)
        except ValueError:
            refused += 1
        else:
            pd.testing.assert_frame_equal(found, whole)
            assert found.attrs == whole.attrs
    assert refused > 2 * TRIED  # the rest fell on what nobody reads


def test_a_damaged_shard_counts_as_missing_and_is_replaced(tmp_path: Path) -> None:
    shards = ShardsDataset(filepath=str(tmp_path / "04/round_1"))
    workspace = WorkspaceDataset(
        filepath=str(tmp_path), shards=["04"], adapters="06", scratch="02"
    ).load()
    shards.save({"a": _shard()})
    file = tmp_path / "04/round_1/a.parquet"
    content, place = file.read_bytes(), 4
    while is_whole(file):  # until a value is hit: the footer, and so the key, is whole
        file.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        place += 1
    assert shards.load().count("a", "k") == 2
    assert not workspace.shards({"a": "k"}) and not is_whole(file)
    assert shards.load().made_under("a", "k") is None
    with pytest.raises(DatasetError, match=r"a\.parquet: truncated or changed \("):
        shards.load()["a"]
    other = tmp_path / "other.parquet"
    write_shard(_shard(), other)
    shards.save({"a": other})
    pd.testing.assert_frame_equal(shards.load()["a"], _shard())


def _run(width: int = 3) -> RunState:
    torch.manual_seed(0)
    layer = nn.Linear(width, 2)
    optimizer = torch.optim.AdamW(layer.parameters(), lr=0.1)
    schedule = torch.optim.lr_scheduler.ConstantLR(optimizer)
    task = EachAlone(lambda step, rows: rows.float())
    return RunState(dict(layer.named_parameters()), [optimizer], [schedule], None, task)


def _stepped(state: RunState, steps: int) -> None:
    for _ in range(steps):
        loss = sum(parameter.square().sum() for parameter in state.parameters.values())
        state.optimizers[0].zero_grad()
        loss.backward()
        state.optimizers[0].step()
        state.schedulers[0].step()


LOG = [TrainingStep(0, 2.0, 1.0, 0.1), TrainingStep(1, 1.0, 1.0, 0.1)]


def test_a_checkpoint_is_resumed_whole_or_training_begins_anew(tmp_path: Path) -> None:
    kept = Checkpoint(tmp_path / "x.pt", "key")
    trained = _run()
    _stepped(trained, 2)
    trained.save(kept, LOG)
    resumed = _run()
    assert resumed.resume(kept) == LOG
    fresh = _run()
    for name, parameter in trained.parameters.items():
        assert torch.equal(resumed.parameters[name], parameter)
        assert not torch.equal(fresh.parameters[name], parameter)
    content = kept.path.read_bytes()
    for damaged in [b"", content[:32], b"PK" + content, *damages(content, TRIED // 10)]:
        kept.path.write_bytes(damaged)
        state = _run()
        assert state.resume(kept) == []
        for name, parameter in state.parameters.items():
            assert torch.equal(parameter, fresh.parameters[name])
        assert not state.optimizers[0].state
        _stepped(state, 2)  # and goes on as if there had been none
        assert torch.equal(state.parameters["weight"], trained.parameters["weight"])


def test_a_checkpoint_of_another_shape_or_key_is_not_resumed(tmp_path: Path, caplog) -> None:
    kept = Checkpoint(tmp_path / "x.pt", "key")
    _run(width=1).save(kept, LOG)
    state, fresh = _run(), _run()
    assert state.resume(kept) == []
    assert caplog.messages == [f"{kept.path}: not resumed (ValueError); training begins anew"]
    assert torch.equal(state.parameters["weight"], fresh.parameters["weight"])
    assert _run(width=1).resume(Checkpoint(kept.path, "another")) == []
    assert len(caplog.messages) == 1  # that is no damage


RECORD = Record(Ingredients("node", {"m": "d"}, {"params:x": 1}, {"i": "d"}), {"f": 3}, "r", "id")


def _replaced(key: str, value: object) -> Callable[[dict], dict]:
    return lambda facts: {**facts, key: value}


@pytest.mark.parametrize(
    "change",
    [
        lambda facts: [],
        lambda facts: None,
        lambda facts: "text",
        lambda facts: {},
        _replaced("ingredients", []),
        _replaced("ingredients", {"node": "n"}),
        _replaced("ingredients", {"node": 1, "code": [], "parameters": 2, "inputs": None}),
        _replaced("files", 5),
        _replaced("files", {"f": "many"}),
        _replaced("revision", {}),
        _replaced("versions", "x"),
    ],
)
def test_a_record_of_another_shape_is_none(
    change: Callable[[dict], object], tmp_path: Path
) -> None:
    records = Records(tmp_path)
    records.write("report", RECORD)
    assert records["report"] == RECORD
    file = tmp_path / "report.json"
    file.write_text(json.dumps(change(json.loads(file.read_text()))))
    assert records["report"] is None


def test_a_damaged_record_is_none_or_a_record(tmp_path: Path) -> None:
    records = Records(tmp_path)
    records.write("report", RECORD)
    file = tmp_path / "report.json"
    for damaged in damages(file.read_bytes()):
        file.write_bytes(damaged)
        found = records["report"]
        assert found is None or len(found.digest) == 16
    file.write_text("[" * 100_000)
    assert records["report"] is None


@pytest.mark.parametrize("content", ["", "[]", "5", "{", "[" * 100_000, "\udcff"])
def test_a_broken_record_of_a_run_counts_as_nothing(content: str, tmp_path: Path) -> None:
    file = tmp_path / "run.json"
    file.write_text(content, encoding="utf-8", errors="surrogateescape")
    assert RecordDataset(filepath=str(file)).load() == {}
