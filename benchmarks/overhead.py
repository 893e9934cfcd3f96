"""What lineage, timing and tracking cost: seconds inside each hook, as a share of the smoke run.

    python benchmarks/overhead.py

Runs the smoke environment once in this process, in a temporary copy of the project, with tracking
switched on.
"""

from __future__ import annotations

import functools
import os
import shutil
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


def timed(hook: Any, spent: Counter[str]) -> None:
    """Let every hook method of `hook` add its time to `spent`."""
    for name in dir(type(hook)):
        method = getattr(type(hook), name)
        if not hasattr(method, "kedro_impl"):  # what Kedro calls
            continue

        @functools.wraps(method)
        def wrapped(self: Any, *args: Any, _method: Any = method, **kwargs: Any) -> Any:
            start = time.perf_counter()
            try:
                return _method(self, *args, **kwargs)
            finally:
                spent[type(self).__name__] += time.perf_counter() - start

        setattr(type(hook), name, wrapped)


def main() -> None:
    """Print one line per hook."""
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        for name in ("conf", "src", "data/01_raw", "data/06_models"):
            shutil.copytree(ROOT / name, project / name)
        for name in ("pyproject.toml", ".telemetry"):
            shutil.copy(ROOT / name, project / name)
        os.chdir(project)
        (project / "conf/smoke/mlflow.yml").write_text("enabled: true\n")

        from kedro.framework.session import KedroSession
        from kedro.framework.startup import bootstrap_project

        from mitune.settings import HOOKS

        spent: Counter[str] = Counter()
        for hook in HOOKS:
            timed(hook, spent)
        bootstrap_project(project)
        start = time.perf_counter()
        with KedroSession.create(project, env="smoke") as session:
            session.run(pipeline_names=["mitune"])
        whole = time.perf_counter() - start
    for name, seconds in spent.most_common():
        print(f"{name:20}{seconds:8.2f} s{100 * seconds / whole:7.1f} %")
    print(f"{'whole run':20}{whole:8.2f} s")


if __name__ == "__main__":
    main()
