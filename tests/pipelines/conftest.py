import io
import json
import logging
import os
import shutil
import subprocess
import sys
import traceback
from pathlib import Path

import pytest
from click.testing import CliRunner
from filelock import FileLock
from kedro.framework.cli.cli import KedroCLI

from tests.conftest import ROOT


def kedro(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command as a user types it: a process of its own, with the code of `project`."""
    return subprocess.run(
        [sys.executable, "-m", "kedro", *arguments],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )


def kedro_here(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The same command in this process, which has imported what it needs, with its own code."""
    logged = io.StringIO()
    handler = logging.StreamHandler(logged)
    before = Path.cwd()
    os.chdir(project)
    try:
        command = KedroCLI(project_path=project)
        logging.getLogger().addHandler(handler)
        done = CliRunner().invoke(command, arguments)
    finally:
        logging.getLogger().removeHandler(handler)
        os.chdir(before)
    errors = logged.getvalue() + done.stderr
    if done.exc_info and not isinstance(done.exception, SystemExit):
        errors += "".join(traceback.format_exception(*done.exc_info))
    return subprocess.CompletedProcess(arguments, done.exit_code, done.stdout, errors)


def run(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return kedro_here(project, "run", "--env=smoke", *arguments)


def copy_project(folder: Path) -> None:
    """Code, configuration and inputs."""
    for name in ("conf", "src", "data/01_raw", "data/06_models"):
        # Of the models only what is shipped: campaigns may have put theirs next to it.
        ignored = shutil.ignore_patterns("*.egg-info", *_campaigns(name))
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    for name in ("pyproject.toml", ".telemetry"):
        shutil.copy(ROOT / name, folder / name)


def _campaigns(name: str) -> list[str]:
    if name != "data/06_models":
        return []
    return [p.name for p in (ROOT / name).iterdir() if not p.name.startswith("miniature")]


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project."""
    folder = tmp_path_factory.mktemp("project")
    copy_project(folder)
    return folder


@pytest.fixture(scope="session")
def untouched(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """The project after the main job, run once for all workers of pytest; to be copied only."""
    own = tmp_path_factory.getbasetemp()
    folder = (own if worker_id == "master" else own.parent) / "finished"
    said = folder / "said.json"
    with FileLock(f"{folder}.lock"):
        if not said.exists():
            copy_project(folder)
            done = kedro(folder, "run", "--env=smoke", "--pipeline=mitune")
            said.write_text(json.dumps([done.args, done.returncode, done.stdout, done.stderr]))
    return folder


@pytest.fixture(scope="session")
def finished(project: Path, untouched: Path) -> subprocess.CompletedProcess[str]:
    """How the main job went; `project` gets a copy of its results."""
    shutil.copytree(untouched / "data/smoke", project / "data/smoke", dirs_exist_ok=True)
    return subprocess.CompletedProcess(*json.loads((untouched / "said.json").read_text()))


@pytest.fixture(scope="module")
def own(untouched: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project after the main job, to be changed by the tests of one module."""
    said = json.loads((untouched / "said.json").read_text())
    assert said[1] == 0, said[3][-3000:]
    folder = tmp_path_factory.mktemp("own") / "project"
    shutil.copytree(untouched, folder)
    return folder
