"""An environment that stands on another says only what differs."""

from pathlib import Path

import pytest
import yaml
from kedro.config import MissingConfigException

from mitune.environments import Environments
from mitune.errors import UserError
from mitune.settings import CONFIG_LOADER_ARGS
from tests.conftest import ROOT

FILES = {
    "base/globals": {"extends": None, "model": "small", "data": "data"},
    "base/parameters": {"train": {"steps": 1, "rate": 0.1, "tasks": [1, 2]}, "drawn": {"n": 3}},
    "base/catalog": {"table": {"type": "pandas.CSVDataset", "filepath": "${globals:data}/t.csv"}},
    "papers/globals": {"model": "large"},
    "papers/parameters": {"train": {"steps": 2, "tasks": [3]}, "drawn": None},
    "first/globals": {"extends": "papers", "data": "data/first"},
    "first/parameters": {"train": {"rate": 0.2}},
    "second/globals": {"extends": "first", "data": "data/second"},
    "second/parameters": {"train": {"steps": 4}},
}


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    for name, content in FILES.items():
        file = tmp_path / f"{name}.yml"
        file.parent.mkdir(exist_ok=True)
        file.write_text(yaml.safe_dump(content))
    return tmp_path


def loader(conf: Path, env: str, **given: object) -> Environments:
    return Environments(str(conf), env=env, runtime_params=given, **CONFIG_LOADER_ARGS)


def test_each_environment_is_merged_onto_the_one_it_extends(conf: Path) -> None:
    second = loader(conf, "second")
    assert second["parameters"] == {
        "train": {"steps": 4, "rate": 0.2, "tasks": [3]}, "drawn": None,
    }  # fmt: skip
    assert second["globals"] == {"extends": "first", "model": "large", "data": "data/second"}
    assert second["catalog"]["table"]["filepath"] == "data/second/t.csv"
    assert loader(conf, "first")["parameters"]["train"]["steps"] == 2
    assert loader(conf, "base")["parameters"] == FILES["base/parameters"]


def test_parameters_of_the_command_line_win(conf: Path) -> None:
    given = loader(conf, "second", train={"rate": 9.0})["parameters"]["train"]
    assert given == {"steps": 4, "rate": 9.0, "tasks": [3]}


@pytest.mark.parametrize(
    ("extends", "said"), [("nobody", "nobody"), ("second", "stands on papers itself")]
)
def test_what_is_not_there_or_goes_round_in_circles_is_refused(
    conf: Path, extends: str, said: str
) -> None:
    (conf / "papers/globals.yml").write_text(f"extends: {extends}\n")
    with pytest.raises((UserError, MissingConfigException), match=said):
        loader(conf, "second")["parameters"]


def test_what_no_environment_says_is_missing(conf: Path) -> None:
    with pytest.raises(MissingConfigException):
        loader(conf, "second")["mlflow"]


def test_stable_diffusion_xl_differs_from_2_1_in_size_alone() -> None:
    """The paper has one table of settings for both."""
    xl, two = (
        Environments(str(ROOT / "conf"), env=env, **CONFIG_LOADER_ARGS)["parameters"]
        for env in ("sdxl", "sd21")
    )
    assert xl["finetune"]["optimisation"].pop("micro_batch_size") == 4
    assert two["finetune"]["optimisation"].pop("micro_batch_size") == 16
    assert xl.pop("resources") != two.pop("resources")
    assert xl["merge"].pop("models") != two["merge"].pop("models")  # where results lie
    assert xl == two
