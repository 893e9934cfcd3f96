"""A project that is broken in one way at a time, and asked through the command line."""

import os
import re
import shlex
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from mitune.pipeline_registry import register_pipelines
from tests.pipelines.conftest import copy_project, kedro_here

CASES = Path(__file__).parent / "cases"
_PLACE = re.compile(r"\{(pipelines|parameters of \w+)\}")


@dataclass(frozen=True)
class Case:
    """A line of the table: what is asked for, of which files, and the end of it.

    `said`: the error's whole text; `{project}` stands for the project's folder, `{parameters of
    ENV}` for an environment's files of parameters, `{pipelines}` for all of them, `{others}` for
    what a registry has besides. Where files of
    a set are named in any order, one of several. `files`: by path within the project a text, bytes,
    null (not there), or one of the ways to break a file that `_break` knows.
    """

    name: str
    asked: str
    said: str | list[str]
    files: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name


def cases(table: str) -> list[Case]:
    """All of one table."""
    return [Case(**row) for row in yaml.safe_load((CASES / f"{table}.yml").read_text())]


@pytest.fixture(scope="package")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project."""
    folder = tmp_path_factory.mktemp("world")
    copy_project(folder)
    return folder


@contextmanager
def edited(world: Path, files: Mapping[str, Any]) -> Iterator[None]:
    """`world` with these files, and as it was again."""
    kept: list[tuple[Path, bytes | None]] = []
    made: list[Path] = []
    try:
        for name, content in files.items():
            file = world / name
            missing = [p for p in (file, *file.parents) if not p.exists()]
            made += missing[-1:]
            kept.append((file, file.read_bytes() if file.is_file() else None))
            file.parent.mkdir(parents=True, exist_ok=True)
            _break(file, content)
        yield
    finally:
        for file, content in kept:
            if content is not None:
                file.chmod(0o644) if file.exists() else None
                file.write_bytes(content)
        for path in made:
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink(True)


def _break(file: Path, content: Any) -> None:
    if content is None:
        file.unlink()
    elif isinstance(content, str):
        file.write_text(content, encoding="utf-8", newline="")
    elif isinstance(content, bytes):
        file.write_bytes(content)
    elif "cut" in content:  # what is left of it
        file.write_bytes(file.read_bytes()[: content["cut"]])
    elif "fifo" in content:
        os.mkfifo(file)
    elif "folder" in content:
        file.mkdir()
    elif "repeat" in content:
        file.write_text(content["repeat"] * content["times"] + content.get("end", ""))
    else:
        raise ValueError(content)


def agrees(said: str, world: Path, case: Case) -> bool:
    """Whether it is what `case` says, in the edited `world`."""
    given = [case.said] if isinstance(case.said, str) else case.said
    texts = [_PLACE.sub(lambda found: _standing_for(world, found.group(1)), t) for t in given]
    return any(re.fullmatch(re.escape(t).replace(r"\{others\}", ".*"), said) for t in texts)


def _standing_for(world: Path, name: str) -> str:
    if name == "pipelines":
        return ", ".join(register_pipelines())
    files = sorted((world / "conf" / name.removeprefix("parameters of ")).glob("parameters*.yml"))
    return ", ".join(str(file).replace(str(world), "{project}") for file in files)


def error_of(world: Path, asked: str) -> str:
    """What a command that fails says, its log and its usage left out."""
    done = kedro_here(world, *shlex.split(asked))
    assert done.returncode != 0, done.stdout
    assert "Traceback" not in done.stderr, done.stderr
    error = re.split("^Error: ", done.stderr, flags=re.MULTILINE)[-1]
    return error.strip().replace(str(world), "{project}")
