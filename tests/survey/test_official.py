"""The dialect of the released notebooks, and tables in and out without loss."""

from pathlib import Path

import pandas as pd
import pytest

from mitune.errors import UserError
from mitune.survey import official
from mitune.survey.exchange import export, rows_of, take_in
from mitune.survey.simulation import Respondents, simulate
from mitune.survey.storage import Answers, as_table
from tests.survey.conftest import HOSTILE, a_study

METRICS = 'prompt,mi,blip,hps\n"a red apple, a "green" cup",True,False,True\n"b",False,False,False'
PROMPTS = ("a red apple", "a red, round apple", "a dog's bone", "a dog's, bone", 'it\'s "so"\n')
METHODS = (
    "category,prompt,AandE,DPOK,MI\n"
    "color,'a red apple',True,False,True\n"
    "color,\"'a red, round apple'\",False,False,True\n"
    'non_spatial,"""a dog\'s bone""",False,True,True\n'
    'complex,"""a dog\'s, bone""",False,False,True\n'
    'complex,"\'it\\\'s ""so""\\n\'",True,True,True\n'
)


def folder(tmp_path: Path, *texts: str) -> Path:
    for number, text in enumerate(texts):
        (tmp_path / f"answer_20240901_101112_{number:06}.csv").write_bytes(text.encode())
    return tmp_path


def test_metrics_files_are_read(tmp_path: Path) -> None:
    (rows,) = official.read_folder(folder(tmp_path, METRICS), "main", "academic")
    said = [(r.question, r.prompt, r.option, r.selected) for r in rows]
    quoted = 'a red apple, a "green" cup'
    assert said == [
        (1, quoted, "mi", True), (1, quoted, "blip", False), (1, quoted, "hps", True),
        (2, "b", "mi", False), (2, "b", "blip", False), (2, "b", "hps", False),
    ]  # fmt: skip
    first = rows[0]
    assert (first.survey, first.group, first.category) == (
        "20240901_101112_000000", "academic", "color",
    )  # fmt: skip
    assert first.position is first.picture is first.milliseconds is None


def test_methods_files_are_read(tmp_path: Path) -> None:
    (rows,) = official.read_folder(folder(tmp_path, METHODS), "main", "all")
    assert tuple(dict.fromkeys(row.prompt for row in rows)) == PROMPTS
    assert [r.selected for r in rows if r.question == 3] == [False, True, True]
    assert {r.category for r in rows} == {"color", "non_spatial", "complex"}


def test_methods_files_are_as_the_notebook_writes_them(tmp_path: Path) -> None:
    """A table of prompts by `repr` through pandas: files of the notebook, not of this module."""
    frames = [
        pd.DataFrame([[True, False]], columns=["MI", "VNL"]).assign(
            prompt=repr(prompt), category="color"
        )[["category", "prompt", "MI", "VNL"]]
        for prompt in PROMPTS
    ]
    text = pd.concat(frames).to_csv(index=None)
    (rows,) = official.read_folder(folder(tmp_path, text), "main", "all")
    assert tuple(dict.fromkeys(row.prompt for row in rows)) == PROMPTS
    assert official.write(rows) == text
    (windows,) = official.read_folder(folder(tmp_path, text.replace("\n", "\r\n")), "main", "all")
    assert windows == rows


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("mi,blip\n", ":1: not a header"),
        ("prompt\n", ":1: not a header"),
        ("category,prompt,A,A\ncolor,'a',True,True", ":1: not a header"),
        ('prompt,mi,blip\n"a",True,False\n"b",True,yes', ":3: not `prompt,mi,blip`"),
        ('prompt,mi,blip\n"a",True', ":2: not"),
        (
            "category,prompt,A,B\ncolor,__import__('os').system('x'),True,True",
            ":2: .*no Python string",
        ),
        ("category,prompt,A,B\ncolor,'a' + 'b',True,True", ":2: .*no Python string"),
        ("category,prompt,A,B\ncolor,'\\x',True,True", ":2: .*no Python string"),
        ("category,prompt,A,B\ncolor,b'a',True,True", ":2: .*no Python string"),
        ("category,prompt,A,B\ncolor,'\\ud800',True,True", ":2: .*no Python string"),
        ("category,prompt,A,B\ncolor,'a',True,True\ncolor,'b',True", ":3: not `category"),
        ("category,prompt,A,B\ncolor,\"'a',True,True", ":2: not `category"),
        (f"category,prompt,A,B\ncolor,'{'a' * 200_000}',True,True", ":2: not `category"),
    ],
)
def test_other_files_are_refused_with_their_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        list(official.read_folder(folder(tmp_path, text), "main", "all"))


def test_names_and_encodings_are_checked(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no files answer_"):
        list(official.read_folder(tmp_path, "main", "all"))
    (tmp_path / "answer_1.csv").write_bytes(b"prompt,mi\n")
    with pytest.raises(UserError, match="its only id"):
        list(official.read_folder(tmp_path, "main", "all"))
    (tmp_path / "answer_1.csv").rename(tmp_path / "answer_20240901_101112_000000.csv")
    (tmp_path / "answer_20240901_101112_000000.csv").write_bytes(b"prompt,mi\n\xff")
    with pytest.raises(UserError, match="UTF-8"):
        list(official.read_folder(tmp_path, "main", "all"))


@pytest.mark.parametrize("text", [METRICS, METHODS])
def test_what_is_read_is_written_the_same(tmp_path: Path, text: str) -> None:
    (rows,) = official.read_folder(folder(tmp_path, text), "main", "all")
    assert official.write(rows) == text


def test_a_prompt_that_the_dialect_cannot_hold_is_refused(tmp_path: Path) -> None:
    (rows,) = official.read_folder(folder(tmp_path, METRICS), "main", "all")
    forged = [
        type(row)(**{**vars(row), "prompt": 'x",True,True,True\n"y'}) if row.question == 1 else row
        for row in rows
    ]
    with pytest.raises(UserError, match="cannot hold"):
        official.write(forged)


@pytest.fixture
def answered(answers: Answers, rng) -> pd.DataFrame:
    """Two surveys of hostile prompts, and one that was left."""
    study = a_study(HOSTILE)
    rows = simulate(study, Respondents(), "judge", 2, rng)
    named = as_table(rows).replace(
        {"survey": {f"simulated_{n}": f"20260101_000000_{n:06}_{'ab' * 16}" for n in (0, 1)}}
    )
    answers.add(rows_of(named.assign(milliseconds=1234)))
    answers.add(study.draw("20260101_000000_000009_cd", "all", rng))
    table = answers.table()
    return table[table["selected"].notna()].reset_index(drop=True)


def test_a_table_comes_back_as_it_went(answers, answered, tmp_path: Path) -> None:
    (file,) = export(answers, tmp_path / "out")
    other = Answers(tmp_path / "other.sqlite")
    assert take_in(other, file, "ignored", "ignored") == 2
    pd.testing.assert_frame_equal(other.table(), answered)
    with pytest.raises(UserError, match="already; nothing was added"):
        take_in(other, file, "", "")
    pd.testing.assert_frame_equal(other.table(), answered)
    with pytest.raises(UserError, match="not an empty folder"):
        export(answers, tmp_path / "out")


def test_notebook_files_come_back_with_what_they_hold(answers, answered, tmp_path: Path) -> None:
    files = export(answers, tmp_path / "out", notebooks=True)
    where = tmp_path / "out/methods/simulated"
    assert sorted(files) == [where / f"answer_20260101_000000_00000{n}.csv" for n in (0, 1)]
    assert files[0].read_bytes().endswith(b"\n")  # as pandas ends a table
    other = Answers(tmp_path / "other.sqlite")
    take_in(other, where, "main", "simulated")
    kept = ["group", "question", "category", "prompt_id", "prompt", "option", "selected"]
    by = ["time", "question", "option"]
    came, went = (
        table.assign(time=table["survey"].str[:22]).sort_values(by)[["time", *kept]]
        for table in (other.table(), answered)
    )
    pd.testing.assert_frame_equal(came.reset_index(drop=True), went.reset_index(drop=True))


def test_broken_tables_are_refused_whole(answers, answered, tmp_path: Path) -> None:
    (file,) = export(answers, tmp_path / "out")
    text = file.read_text()
    other = Answers(tmp_path / "other.sqlite")
    for broken in (
        text.replace("survey,", "person,", 1),
        text.replace("True", "maybe", 1),
        text.replace("methods", "other"),
        text[: len(text) // 2],
        "",
    ):
        file.write_text(broken)
        with pytest.raises(UserError, match="no exported table"):
            take_in(other, file, "", "")
    assert other.table().empty


@pytest.mark.parametrize("group", ["../../elsewhere", "/tmp/elsewhere", "", "a b", "."])
def test_a_group_is_the_name_of_a_folder(answers, answered, tmp_path: Path, group: str) -> None:
    """Export writes a folder for each: a file from elsewhere must not name one outside."""
    (file,) = export(answers, tmp_path / "out")
    table = pd.read_csv(file, dtype=str, keep_default_na=False)
    table.assign(group=group).to_csv(file, index=False)
    other = Answers(tmp_path / "other.sqlite")
    with pytest.raises(UserError, match="a group has more in its name"):
        take_in(other, file, "", "")
    with pytest.raises(UserError, match="it names a folder"):
        take_in(other, folder(tmp_path, METRICS), "main", group)
    assert other.table().empty


@pytest.mark.parametrize("number", ["1.5", "-1", "1" + "0" * 30, "inf", "one"])
def test_numbers_of_a_table_are_whole(answers, answered, tmp_path: Path, number: str) -> None:
    (file,) = export(answers, tmp_path / "out")
    table = pd.read_csv(file, dtype=str, keep_default_na=False)
    table.assign(question=number).to_csv(file, index=False)
    with pytest.raises(UserError, match="no exported table"):
        take_in(Answers(tmp_path / "other.sqlite"), file, "", "")


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.sqlite").write_text("no database, but long enough to be read as one" * 20)
    with pytest.raises(UserError, match="no file of answers"):
        Answers(tmp_path / "a.sqlite")
