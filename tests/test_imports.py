import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

SOURCE = ROOT / "src"
HEAVY = {"diffusers", "mlflow", "peft", "spacy", "transformers"}
# import-linter sees who imports `libraries`, not which of them.
ROOMS = {
    "choix": {"survey"},
    "diffusers": {"backbones", "diffusion", "pretraining", "training"},
    "peft": {"training"},
    "spacy": {"language"},
    "torch": {"training"},
    "transformers": {"backbones", "metrics", "pretraining"},
}


def imported(code: str, *arguments: str, cwd: Path = ROOT) -> set[str]:
    """Names in `sys.modules` of a fresh process that has run `code`."""
    shown = f"{code}\nimport sys\nprint('MODULES', *sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", shown, *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.rpartition("MODULES")[2].split())


COMMAND = """
from kedro.framework.cli import main
try:
    main()
except SystemExit:
    pass
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ("--version",),
        ("--help",),
        ("lineage", "round_1.adapter", "--env=smoke"),
        ("compare", "here", "there", "--env=smoke"),
        ("paper-table", "here", "--env=smoke"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_what_only_reads_needs_no_torch(arguments: tuple[str, ...]) -> None:
    loaded = imported(COMMAND, *arguments)
    assert "kedro.framework.cli.cli" in loaded
    assert not loaded & {"torch", *HEAVY}


def test_files_of_results_are_read_without_torch() -> None:
    """Whatever of them there is on disk."""
    assert not imported("import mitune.datasets, mitune.comparison") & {"torch", *HEAVY}


def test_the_registry_and_its_parameters_need_no_heavy_library() -> None:
    """Nothing before the first node does: the preflight included."""
    loaded = imported(
        "from kedro.framework.startup import bootstrap_project\n"
        "from kedro.framework.session import KedroSession\n"
        "from mitune.backbones import ModelRef\n"
        "from mitune.pipelines.shared import preflight\n"
        "bootstrap_project('.')\n"
        "with KedroSession.create('.', env='smoke') as session:\n"
        "    catalog = session.load_context().catalog\n"
        "preflight.check_model(catalog.load('base_model'))\n"
        "preflight.check_metrics(catalog.load('params:metrics'))\n"
    )
    assert "mitune.pipelines.generate.nodes" in loaded
    assert not loaded & {"scipy.stats", *HEAVY}


def test_heavy_libraries_stay_in_their_rooms() -> None:
    used: dict[str, set[str]] = {library: set() for library in ROOMS}
    for file in (SOURCE / "mitune").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "libraries":
                used[node.attr].add(file.relative_to(SOURCE / "mitune").parts[0])
    assert used == ROOMS
