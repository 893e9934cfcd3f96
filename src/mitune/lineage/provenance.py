"""Which code, on which libraries, is running."""

from __future__ import annotations

import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

_LIBRARIES = ("mitune", "torch", "diffusers", "transformers", "peft", "kedro")


def revision(root: Path) -> str:
    """Commit of the project, with `+changes` if files differ from it; `unknown` outside git."""
    head = _git(root, "rev-parse", "HEAD")
    if not head:
        return "unknown"
    return head + ("+changes" if _git(root, "status", "--porcelain", "-uno") else "")


def versions() -> dict[str, str]:
    """Versions of Python and of the libraries that compute."""
    return {"python": platform.python_version(), **{name: version(name) for name in _LIBRARIES}}


def _git(root: Path, *arguments: str) -> str:
    try:
        completed = subprocess.run(
            ["git", *arguments], cwd=root, capture_output=True, text=True, check=False
        )
    except OSError:
        return ""
    return completed.stdout.strip() if completed.returncode == 0 else ""
