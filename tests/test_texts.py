"""Every text comes back as it was written, or its line is named."""

import os
from pathlib import Path

import pytest

from mitune.texts import TextError, alike, read_json, read_lines, read_table, read_text


def _file(folder: Path, content: bytes) -> Path:
    file = folder / "mine.csv"
    file.write_bytes(content)
    return file


@pytest.mark.parametrize(
    "word", ["NA", "null", "None", "nan", "", "007", "1e5", "True", "#N/A", "-"]
)
def test_no_word_is_anything_but_text(word: str, tmp_path: Path) -> None:
    _, rows = read_table(_file(tmp_path, f"id,caption\n1,{word}\n".encode()))
    assert rows[0].cells == {"id": "1", "caption": word}


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"a dog\na cat", [(1, "a dog"), (2, "a cat")]),
        (b"a dog\r\n\r\na cat\r\n", [(1, "a dog"), (2, ""), (3, "a cat")]),
        (b"\xef\xbb\xbfa dog\n", [(1, "a dog")]),
        ("a\u2028dog\nun\u00a0chat\n".encode(), [(1, "a\u2028dog"), (2, "un\u00a0chat")]),
        ("\U0001f415 e\u0301\n".encode(), [(1, "\U0001f415 e\u0301")]),
        (b" a dog \n", [(1, " a dog ")]),
    ],
)  # fmt: skip
def test_lines_end_where_people_ended_them(content: bytes, lines: list, tmp_path: Path) -> None:
    assert list(read_lines(_file(tmp_path, content))) == lines


def test_a_cell_between_quotes_may_hold_anything(tmp_path: Path) -> None:
    content = b'id,caption\n1,"a, b"\n\n2,"say ""hi"""\n3,"two\nlines"\n4,end\n'
    _, rows = read_table(_file(tmp_path, content))
    assert [(row.line, row.cells["caption"]) for row in rows] == [
        (2, "a, b"), (4, 'say "hi"'), (5, "two\nlines"), (7, "end"),
    ]  # fmt: skip


def test_without_quotes_they_are_text(tmp_path: Path) -> None:
    columns, rows = read_table(_file(tmp_path, b'P\tC\n"a" b\tc"\n'), "\t", quotes=False)
    assert columns == ["P", "C"] and rows[0].cells == {"P": '"a" b', "C": 'c"'}


BAD = {
    "comma without quotes": (b"id,caption\n1,a red circle, and a blue square\n",
                             ":2: has 3 cells, the header 2; put quotes around a text"),
    "cell too few": (b"id,caption\n1,a\n2\n", ":3: has 1 cells, the header 2; put quotes"),
    "quote that is not closed": (b'id,caption\n1,"a\n2,b\n', ":2: not CSV (unexpected end of d"),
    "text after a quote": (b'id,caption\n1,"a"b\n', ":2: not CSV (',' expected after '\"')"),
    "column twice": (b"id,id\n1,2\n", ":1: column 'id' has no name of its own"),
    "column without a name": (b",caption\n0,a\n", ":1: column '' has no name of its own"),
    "latin-1": (b"id,caption\n1,caf\xe9\n", ":2: not UTF-8; save the file as UTF-8"),
    "utf-16": ("id,caption\n".encode("utf-16"), ":1: not UTF-8"),
    "nul": (b"id,caption\n1,a\x00b\n", ":2: character U+0000, which no text has; remove it"),
    "escape": (b"id,caption\n1,\x1b[31m\n", ":2: character U+001B"),
    "next line": ("id,caption\n1,a\x85b\n".encode(), ":2: character U+0085"),
    "old line ends": (b"id,caption\r1,a\r", ":1: a carriage return within a line"),
    "empty": (b"", ": is empty; write it, or restore it"),
    "blank": (b" \n\n", ": is empty; write it, or restore it"),
    "huge cell": (b"id,caption\n1," + b"a" * (2**20 + 1) + b"\n", ":2: not CSV (field larger than"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_what_is_no_table_is_one_line(case: str, tmp_path: Path) -> None:
    content, said = BAD[case]
    file = _file(tmp_path, content)
    with pytest.raises(TextError) as caught:
        read_table(file)
    assert str(caught.value).startswith(f"{file}{said}") and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"[" * 100_000, "not JSON (RecursionError)"),
        (b"[1" + b"0" * 10_000 + b"]", "not JSON (ValueError)"),
        (b'["a",\n oops]', "2: not JSON (Expecting value)"),
        (b'{"a": 1', "not JSON"),
    ],
    ids=["deep", "long", "word", "cut"],
)
def test_what_is_no_json_is_one_line(content: bytes, said: str, tmp_path: Path) -> None:
    with pytest.raises(TextError) as caught:
        read_json(_file(tmp_path, content))
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_what_is_no_file_is_one_line_and_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    wrong = {
        tmp_path: "no file but a folder or a pipe",
        tmp_path / "pipe": "no file but a folder or a pipe",
        Path("/dev/zero"): "no file but a folder or a pipe",
        tmp_path / "nobody": "not found",
        tmp_path / "pipe" / "x": "not found",
        tmp_path / ("x" * 300): "cannot be read (File name too long)",
        tmp_path / "a\0b": "not found",
    }
    for file, said in wrong.items():
        with pytest.raises(TextError) as caught:
            read_text(file)
        assert f"{file}: {said}" in str(caught.value)


def test_what_a_tokenizer_does_not_tell_apart_is_alike() -> None:
    assert alike("A  red\tCircle ") == alike("a red circle")
    assert alike("caf\u00e9") == alike("cafe\u0301")
    assert alike("a red circle") != alike("a red circle.")
