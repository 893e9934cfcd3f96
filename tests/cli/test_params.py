"""A list has commas, at which Kedro splits `--params`: refused with the way out."""

from pathlib import Path

import pytest
from click.testing import CliRunner
from kedro.framework.cli.project import run
from omegaconf import OmegaConf

from mitune.cli.params import split_params
from mitune.cli.run import run as project_run
from mitune.cli.status import status
from tests.conftest import ROOT

GIVEN = "--params=generate.steps=3,prompts.categories=[color,numeracy]"


@pytest.mark.parametrize("command", [project_run, status], ids=["run", "status"])
def test_a_list_is_refused_by_name_with_the_way_out(command, monkeypatch) -> None:
    monkeypatch.chdir(ROOT)
    found = CliRunner().invoke(command, [GIVEN])
    assert found.exit_code == 2
    assert "prompts.categories: a list cannot be given here" in found.output
    assert "--config=FILE" in " ".join(found.output.split())


def test_everything_else_is_read_as_kedro_reads_it() -> None:
    values = {"generate": {"steps": 3}, "prompts": {"categories": ["color"]}}
    given = "generate.steps=3,prompts.categories=[color]"
    option = next(option for option in run.params if option.name == "params")
    context = run.make_context("run", [])
    assert split_params(context, option, given) == values
    assert split_params(context, option, values) == values


def test_the_way_out_is_one(tmp_path: Path) -> None:
    """What the line says to write is what Kedro's `--config` reads."""
    file = tmp_path / "own.yml"
    file.write_text("run: {params: {prompts: {categories: [color, numeracy]}}}")
    context = run.make_context("run", [f"--config={file}"])
    assert context.params["params"] == OmegaConf.load(file)["run"]["params"]
