"""Readers of what people wrote, on anything: as it was written, or one line. Never a traceback."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from pydantic import TypeAdapter

from mitune.errors import UserError
from mitune.image_folder import read_folder, read_pictures
from mitune.prompt_sources import SourceConfig
from mitune.prompts import read_splits
from mitune.texts import read_json, read_lines, read_table
from tests.edges.test_damaged_files import damages

FUZZ = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
# What people write: no control characters, no halves of characters.
WRITTEN = st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=20)
NAMES = st.lists(WRITTEN.filter(str.strip), min_size=1, max_size=4, unique=True)


def _one_line(read: Callable[[], object], file: Path) -> None:
    """What `read` cannot make of a file is one line that names it, or a field of parameters."""
    try:
        read()
    except UserError as error:
        said = str(error)
        assert "\n" not in said and (file.name in said or "prompts." in said), said


@FUZZ
@given(
    names=NAMES, rows=st.lists(st.lists(WRITTEN, min_size=4, max_size=4), min_size=1, max_size=5)
)
def test_a_table_comes_back_as_it_was_written(
    names: list[str], rows: list[list[str]], tmp_path: Path
) -> None:
    stream = io.StringIO()
    kept = [row[: len(names)] for row in rows]
    csv.writer(stream, quoting=csv.QUOTE_ALL).writerows([names, *kept])
    file = tmp_path / "table.csv"
    file.write_text(stream.getvalue(), encoding="utf-8", newline="")
    columns, found = read_table(file)
    assert columns == names
    assert [list(row.cells.values()) for row in found] == kept


@FUZZ
@given(lines=st.lists(WRITTEN, min_size=1).filter(lambda lines: any(map(str.strip, lines))))
def test_lines_come_back_as_they_were_written(lines: list[str], tmp_path: Path) -> None:
    file = tmp_path / "lines.txt"
    file.write_text("".join(f"{line}\r\n" for line in lines), encoding="utf-8", newline="")
    start = lines[0].removeprefix("\ufeff")  # a byte order mark is none of the text
    assert [line for _, line in read_lines(file)] == [start, *lines[1:]]


TABLE = b'id,caption\n1,"a red circle, and a blue square"\n2,a star\n'


@FUZZ
@given(content=st.binary(max_size=60) | st.text(alphabet='a,"\n\r\t\0\ufeff\u2028é', max_size=40))
def test_no_bytes_are_more_than_one_line(content: bytes | str, tmp_path: Path) -> None:
    file = tmp_path / "any"
    raw = content if isinstance(content, bytes) else content.encode()
    for whole in (raw, TABLE + raw, TABLE[:20] + raw + TABLE[20:]):
        file.write_bytes(whole)
        _one_line(lambda: list(read_lines(file)), file)
        _one_line(lambda: read_table(file), file)
        _one_line(lambda: read_table(file, "\t", quotes=False), file)
        _one_line(lambda: read_json(file), file)


SOURCES = ("csv", "parti_prompts", "text", "hps_v2", "diffusion_db", "t2i_compbench", "split_files")
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda within: st.lists(within) | st.dictionaries(st.text(), within),
    max_leaves=8,
)
ONE = {"train": 1, "tuning": 1, "test": 1}


@settings(FUZZ, max_examples=60)
@given(content=st.binary(max_size=60) | WRITTEN)
@pytest.mark.parametrize("kind", SOURCES)
def test_no_source_of_prompts_breaks(kind: str, content: bytes | str, tmp_path: Path) -> None:
    source = TypeAdapter(SourceConfig).validate_python({"kind": kind})
    raw = content if isinstance(content, bytes) else content.encode()
    names = {
        "hps_v2": ["photo.json"],
        "t2i_compbench": ["color_train.txt", "color_val.txt"],
        "split_files": [f"color_{split}.txt" for split in ONE],
    }.get(kind, [])
    path = tmp_path / kind
    if names:
        path.mkdir(exist_ok=True)
    for place, name in enumerate(names or [""]):
        (path / name).write_bytes(TABLE + raw if place == 0 else raw + TABLE)
    categories = ["color"] if kind in ("t2i_compbench", "split_files") else []
    try:
        found = read_splits(source, path, categories, ONE, 0)
    except UserError as error:
        assert "\n" not in str(error)
    else:
        texts = [text for table in found.values() for text in table["prompt"]]
        assert len(texts) == len(set(texts)) == 3 and all(map(str.strip, texts))


@FUZZ
@given(content=JSON)
def test_no_json_is_more_than_a_list_of_prompts(content: object, tmp_path: Path) -> None:
    source = TypeAdapter(SourceConfig).validate_python({"kind": "hps_v2"})
    (tmp_path / "photo.json").write_text(json.dumps(content))
    _one_line(lambda: source.read(tmp_path, []), tmp_path / "photo.json")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "GIF", "BMP"])
def test_a_damaged_picture_is_a_picture_or_one_line(kind: str, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    file = tmp_path / f"a dog_000000.{kind.lower()}"
    Image.fromarray(pixels).save(file)
    for damaged in damages(file.read_bytes(), 40):
        file.write_bytes(damaged)
        try:
            found = read_pictures(tmp_path, read_folder(tmp_path))
        except UserError as error:
            assert str(file) in str(error) and "\n" not in str(error)
        else:
            assert found.dtype == np.uint8 and found.shape[3] == 3


@FUZZ
@given(content=st.text(alphabet='a.png,"\n/\\ é.', max_size=40))
def test_no_manifest_breaks(content: str, tmp_path: Path) -> None:
    Image.new("RGB", (2, 2)).save(tmp_path / "a.png")
    manifest = tmp_path / "manifest.csv"
    manifest.write_text(f"file,prompt\n{content}", encoding="utf-8", newline="")
    _one_line(lambda: read_folder(tmp_path), manifest)
    manifest.write_text(f"file,prompt\na.png,{content}", encoding="utf-8", newline="")
    _one_line(lambda: read_folder(tmp_path), manifest)
