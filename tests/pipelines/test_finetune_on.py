"""Pipeline `finetune_on`: a folder of pairs becomes an adapter and its evaluation."""

import shutil
from pathlib import Path

import pandas as pd
import pytest
import yaml
from safetensors.torch import load_file

from mitune.backbones import ModelRef
from mitune.datasets.shard_file import write_shard
from mitune.datasets.shards import Shards
from mitune.datasets.workspace import Workspace
from mitune.example_sets import PicturePairs
from mitune.objectives import D3PO, SFT, DiffusionDPO, DiffusionKTO
from mitune.pipelines.finetune_on.nodes import encode_pictures, for_objective, read_examples
from mitune.pipelines.finetune_on.parameters import Examples
from mitune.pipelines.shared.resources import Resources
from mitune.training.finetuning import Finetuning
from tests.example_sets.files import manifest, pick_a_pic, png
from tests.pipelines.conftest import run

PROMPTS = ("a red star", "a blue circle", "two green squares")


def pairs(folder: Path) -> Path:
    files = {f"{number}.png": png(number, 90, 64) for number in range(6)}
    rows = [
        {"prompt": prompt, "winner": f"{2 * n}.png", "loser": f"{2 * n + 1}.png"}
        for n, prompt in enumerate(PROMPTS)
    ]
    return manifest(folder, rows, files)


def tried(project: Path, folder: Path, *arguments: str, **params: object):  # type: ignore[no-untyped-def]
    given = {"campaign": "given", "examples": {"source": {"path": str(folder)}}}
    for name, value in params.items():
        given[name] = {**given.get(name, {}), **value} if isinstance(value, dict) else value
    config = project / "given.yml"
    config.write_text(yaml.safe_dump({"run": {"params": given}}))
    return run(project, "--pipeline=finetune_on", f"--config={config}", *arguments)


@pytest.fixture(scope="module")
def trained(project: Path, tmp_path_factory) -> Path:
    folder = pairs(tmp_path_factory.mktemp("pairs"))
    done = tried(project, folder, finetune={"objective": {"kind": "diffusion_dpo"}})
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


def test_pairs_from_files_train_an_adapter_that_is_evaluated(project: Path, trained: Path) -> None:
    data = project / "data/smoke"
    chosen = pd.read_parquet(data / "05_model_input/given/given/finetuning_set.parquet")
    assert chosen["role"].tolist() == ["winner", "loser"] * 3
    assert chosen["prompt"].tolist() == [p for p in PROMPTS for _ in range(2)]
    newest = max((data / "06_models/given/given/adapter").iterdir())
    (weights,) = (newest / "adapter").glob("*.safetensors")
    ups = [tensor for name, tensor in load_file(weights).items() if "lora.up" in name]
    assert len(ups) > 10 and all(tensor.any() for tensor in ups)
    summary = pd.read_csv(data / "08_reporting/given/finetune_on.csv")
    assert set(summary["model"]) == {"base", "given"}
    assert {"low", "high", "difference_low"} <= set(summary)


def test_a_new_objective_takes_other_rows_and_encodes_nothing_anew(
    project: Path, trained: Path
) -> None:
    data = project / "data/smoke"
    (part,) = (data / "04_feature/given/given/candidates").glob("*.parquet")
    before = part.stat().st_mtime_ns
    objective = {"objective": {"kind": "diffusion_kto"}}
    done = tried(project, trained, "--only-missing-outputs", finetune=objective)
    assert done.returncode == 0, done.stderr[-3000:]
    assert part.stat().st_mtime_ns == before
    chosen = pd.read_parquet(data / "05_model_input/given/given/finetuning_set.parquet")
    assert sorted(chosen["label"]) == [0, 0, 0, 1, 1, 1]


def test_a_changed_picture_makes_the_set_stale(project: Path, trained: Path) -> None:
    """Its manifest is as it was; the content of the folder counts."""
    data = project / "data/smoke/05_model_input/given/given"
    before = pd.read_parquet(data / "examples.parquet")["picture"]
    (trained / "3.png").write_bytes(png(77))
    nodes = "--to-nodes=given.read.read_examples"
    done = tried(project, trained, "--only-missing-outputs", nodes)
    assert done.returncode == 0, done.stderr[-3000:]
    after = pd.read_parquet(data / "examples.parquet")["picture"]
    assert (before != after).tolist() == [False, False, False, True, False, False]


BAD = {
    "same": ("1.png", 0, r"manifest.csv:3: winner and loser are the same"),
    "broken": ("4.png", 40, r"4.png: cannot be read as a picture"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_pairs_are_one_line_before_any_model_is_opened(
    case: str, project: Path, tmp_path: Path
) -> None:
    folder = pairs(tmp_path)
    if case == "same":
        (folder / "3.png").write_bytes((folder / "2.png").read_bytes())
    else:
        (folder / "4.png").write_bytes((folder / "4.png").read_bytes()[:60])
    done = tried(project, folder, campaign=f"bad_{case}")
    assert done.returncode == 1
    errors = [line for line in done.stderr.splitlines() if line.startswith("Error:")]
    assert len(errors) == 1 and BAD[case][2].replace("\\", "") in errors[0]
    assert "Traceback" not in done.stderr
    assert not list((project / f"data/smoke/07_model_output/bad_{case}").rglob("*.parquet"))


def test_pick_a_pic_serves_every_kind_of_objective(tmp_path: Path) -> None:
    rows = [("a star", png(1), png(2), 1.0, 0.0), ("a cross", png(3), png(1), 0.0, 1.0)]
    source = {"kind": "pick_a_pic", "path": pick_a_pic(tmp_path, rows)}
    settings = Examples.model_validate({"source": source})
    assert settings.files == (tmp_path,)
    examples, _ = read_examples(settings, Finetuning())
    counts = {
        DiffusionDPO(): 4,
        SFT(): 2,
        DiffusionKTO(): 4,
        D3PO(reward="clip"): 2,
    }
    for objective, count in counts.items():
        batch = {"batch_size": objective.group * 2}
        training = Finetuning(objective=objective, optimisation=batch)
        assert len(for_objective(examples, training)) == count


def test_finished_parts_are_found_again_and_nothing_is_opened(
    tmp_path: Path, model: ModelRef
) -> None:
    settings = Examples(source=PicturePairs(path=pairs(tmp_path / "pairs")))
    examples, _ = read_examples(settings, Finetuning())
    folder = tmp_path / "parts"
    folder.mkdir()
    workspace = Workspace(tmp_path, [folder])
    arguments = examples, model, workspace, Resources(executor="serial")
    for part in encode_pictures(settings, *arguments):
        for name, table in part.items():
            write_shard(table, folder / f"{name}.parquet")
    gone = ModelRef(str(tmp_path / "model"), model.digest)  # of the same name, without weights
    weights = shutil.ignore_patterns("*.safetensors")
    shutil.copytree(model.path, gone.path, ignore=weights)
    (found,) = encode_pictures(settings, examples, gone, *arguments[2:])
    assert all(isinstance(file, Path) for file in found.values())
    assert sum(len(table) for table in Shards(found).values()) == 6
