import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT


def kedro(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command as a user types it."""
    return subprocess.run(
        [sys.executable, "-m", "kedro", *arguments],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )


def run(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return kedro(project, "run", "--env=smoke", *arguments)


@pytest.fixture(scope="session")
def project(tmp_path_factory) -> Path:
    """A copy of the project: code, configuration and inputs."""
    folder = tmp_path_factory.mktemp("project")
    for name in ("conf", "src", "data/01_raw", "data/06_models"):
        # Of the models only what is shipped: campaigns may have put theirs next to it.
        ignored = shutil.ignore_patterns("__pycache__", "*.egg-info", *_campaigns(name))
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    for name in ("pyproject.toml", ".telemetry"):
        shutil.copy(ROOT / name, folder / name)
    return folder


def _campaigns(name: str) -> list[str]:
    if name != "data/06_models":
        return []
    return [p.name for p in (ROOT / name).iterdir() if not p.name.startswith("miniature")]


@pytest.fixture(scope="session")
def finished(project: Path) -> subprocess.CompletedProcess[str]:
    return run(project, "--pipeline=mitune")
