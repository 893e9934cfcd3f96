"""Prompts that are longer than a text encoder reads."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mitune.backbones import ModelRef, open_backbone
from mitune.pipelines.prompts.nodes import ingest
from mitune.pipelines.prompts.parameters import Prompts
from mitune.prompt_sources import PlainText, PromptError
from tests.contracts.tiny import build

SHORT = [f"a red star and {name}" for name in "abcdefghijkl"]
LONG = [f"a red star and {name}, " + "very " * 30 + "big" for name in "abcdefgh"]


def settings(overlong: str, **counts: int) -> Prompts:
    wanted = {"train": 5, "tuning": 2, "test": 3, **counts}
    fields = {f"{split}_per_category": count for split, count in wanted.items()}
    return Prompts(source=PlainText(), overlong=overlong, **fields)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    mixed = [line for pair in zip(SHORT, LONG, strict=False) for line in pair]
    (tmp_path / "mine.txt").write_text("\n".join([*mixed, *SHORT[len(LONG) :]]))
    return tmp_path / "mine.txt"


def test_a_prompt_that_would_be_cut_off_is_refused(file: Path, model: ModelRef) -> None:
    with pytest.raises(PromptError, match=r"mine\.txt:\d+: \d+ tokens, .* reads 24; shorten"):
        ingest(file, model, settings("refuse"))


def test_without_them_the_wanted_numbers_are_still_reached(
    file: Path, model: ModelRef, caplog
) -> None:
    found = ingest(file, model, settings("drop"))
    assert [len(table) for table in found] == [5, 2, 3]
    (file.parent / "short").mkdir()
    short = file.parent / "short" / file.name
    short.write_text("\n".join(SHORT))
    for dropped, never in zip(found, ingest(short, model, settings("refuse")), strict=True):
        assert dropped.prompt.tolist() == never.prompt.tolist()
    assert caplog.messages == ["prompts: dropped 8 that the text encoder would cut off"]
    assert len(ingest(file, model, settings("drop", train=0))[0]) == len(SHORT) - 2 - 3
    with pytest.raises(PromptError, match="7 prompts of mine that are not too long, 8 asked for"):
        ingest(file, model, settings("drop", train=8))


def test_a_truncated_prompt_keeps_its_text(file: Path, model: ModelRef, caplog) -> None:
    every = settings("truncate", train=0)
    found = ingest(file, model, every)
    assert {text for table in found for text in table.prompt} == {*SHORT, *LONG}
    assert caplog.messages == ["prompts: the text encoder cuts off 8 of 20"]
    encode = open_backbone(model, torch.device("cpu")).encode_prompts
    both = encode([LONG[0], LONG[0] + " and two blue squares"]).tensors["prompt"]
    torch.testing.assert_close(both[0], both[1])


def test_t5_reads_on_where_clip_stops(file: Path, tmp_path: Path) -> None:
    build("sd3-t5").save_pretrained(tmp_path / "model")
    model = ModelRef(str(tmp_path / "model"), "t5")
    every = settings("refuse", train=0)
    assert sum(len(table) for table in ingest(file, model, every)) == len(SHORT + LONG)
    with pytest.raises(PromptError, match="reads 100; shorten"):
        ingest(file, replace(model, max_sequence_length=100), every)
    beyond = "very " * 60
    file.write_text("\n".join([*SHORT, beyond]))
    with pytest.raises(PromptError, match=r"mine\.txt:13: \d+ tokens, .* reads 256; shorten"):
        ingest(file, model, every)
