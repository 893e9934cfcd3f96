"""As a user types it, in a process of its own: kinds of the table, and what is only there."""

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.edges.conftest import edited

PROMPTS = "data/01_raw/prompts/miniature/color_train.txt"
UNET = "data/06_models/miniature-sd/unet/diffusion_pytorch_model.safetensors"


def typed(world: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "kedro", *arguments],
        cwd=world,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        errors="backslashreplace",
        check=False,
        timeout=120,
    )


def last(done: subprocess.CompletedProcess[str], world: Path) -> str:
    assert done.returncode != 0 and "Traceback" not in done.stderr, done.stderr
    return done.stderr.strip().splitlines()[-1].replace(str(world), "{project}")


KINDS = {
    "environment": (
        ("status", "--env=nosuch"), {}, "Error: environment 'nosuch': there is no folder "
    ),
    "campaign": (
        ("run", "--env=smoke", "--params=campaign=null"), {},
        "Error: parameters, campaign: null is no text",
    ),
    "runner": (
        ("run", "--env=smoke", "--runner=ThreadRunner"), {},
        "Error: Invalid value for '--runner' / '-r': nodes run one after the other",
    ),
    "yaml": (
        ("run", "--env=smoke"), {"conf/smoke/parameters.yml": "generate: [\n"},
        "Error: {project}/conf/smoke/parameters.yml:2: not YAML (",
    ),
    "prompts": (
        ("run", "--env=smoke"), {PROMPTS: b"a red circle\ncaf\xe9\n"},
        "Error: {project}/" + PROMPTS + ":2: not UTF-8; save the file as UTF-8",
    ),
    "weights": (
        ("run", "--env=smoke"), {UNET: {"cut": 1000}},
        "Error: {project}/" + UNET + ": truncated or not a safetensors file",
    ),
    "pipe": (
        ("run", "--env=smoke", "--params=prompt_files=mine"),
        {"mine/color_train.txt": {"fifo": True}},
        "Error: {project}/mine/color_train.txt: no file but a folder or a pipe",
    ),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_is_one_line(kind: str, world: Path) -> None:
    arguments, files, said = KINDS[kind]
    with edited(world, files):
        assert last(typed(world, *arguments), world).startswith(said)


@pytest.fixture
def at_work(world: Path) -> Iterator[Path]:
    """Another run holds the campaign."""
    file = world / "data/smoke/02_intermediate/main/run.lock"
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w") as lock:
        lock.write("process 7 since 2026-01-01 00:00:00\n")
        lock.flush()
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield file


@pytest.mark.slow
def test_a_second_run_says_that_one_is_at_work(world: Path, at_work: Path) -> None:
    said = last(typed(world, "run", "--env=smoke", "--pipeline=prompts"), world)
    assert said == (
        "Error: {project}/data/smoke/02_intermediate/main/run.lock: another run is at work on "
        "this campaign (process 7 since 2026-01-01 00:00:00); wait for it, or give "
        "--params=campaign=NAME"
    )
    other = ("--params=campaign=other", "--pipeline=prompts")
    assert typed(world, "run", "--env=smoke", *other).returncode == 0


@pytest.mark.slow
def test_a_shell_without_utf_8_is_told_so(world: Path) -> None:
    ascii_only = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C", "LANG": "C"}
    done = typed(world, "status", "--env=smoke", **ascii_only)
    assert done.stderr.strip().splitlines()[-1].startswith("Error: this shell's encoding of files")
    assert "set PYTHONUTF8=1" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_terminal_of_less_characters_shows_what_it_can(world: Path) -> None:
    done = typed(world, "compare", "main", "né", "--env=smoke", PYTHONIOENCODING="ascii")
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "nothing is evaluated yet" in done.stderr
