"""What an adapter's name covers, and that an adapter with that name is found again."""

import dataclasses
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from accelerate import Accelerator
from pydantic import ValidationError
from safetensors.torch import load_file

from mitune.backbones import AdapterRef, Backbone, ModelRef, open_backbone
from mitune.composition import Pairs
from mitune.datasets import AdapterDataset, Workspace
from mitune.datasets.shard_file import write_shard
from mitune.datasets.shards import Shards, shards_in
from mitune.errors import UserError
from mitune.objectives import SFT
from mitune.objectives.diffusion_dpo import DiffusionDPO
from mitune.pipelines.finetune.key import adapter_key, training_code
from mitune.pipelines.finetune.nodes import train, with_latents
from mitune.pipelines.shared.resources import Resources
from mitune.pipelines.shared.training_log import read_log, write_log
from mitune.training.adapter_weights import WEIGHTS, digest
from mitune.training.adapters import AdapterSettings
from mitune.training.checkpoint import Checkpoint, TrainingStep
from mitune.training.finetuning import Finetuning, finetune, save
from mitune.training.optimisation import Optimisation

SETTINGS = Finetuning(
    adapter=AdapterSettings(rank=2, alpha=2), optimisation=Optimisation(steps=2, batch_size=2)
)
BASE = AdapterRef(None)
ALONE = Resources(device="cpu", executor="serial")


def _selection(**columns: object) -> pd.DataFrame:
    table = pd.DataFrame({"prompt": ["a", "b"], "latent": [b"12", b"34"], "rank": [1, 1]})
    table = table.assign(**columns)
    table.attrs = {"latent_shape": [1]}
    return table


@pytest.mark.parametrize(
    "columns",
    [
        {"weight": [1.0, 0.5]},
        {"label": [1, 0]},
        {"example": [0, 0], "role": ["winner", "loser"]},
        {"latent": [b"1", b"234"]},
        {"prompt": ["a", "c"]},
    ],
    ids=lambda columns: next(iter(columns)),
)
def test_all_that_rows_are_read_from_counts(model: ModelRef, columns: dict[str, object]) -> None:
    key = adapter_key(_selection(), model, BASE, SETTINGS)
    assert adapter_key(_selection(**columns), model, BASE, SETTINGS) != key


def test_what_weights_do_not_hang_on_does_not_count(model: ModelRef) -> None:
    key = adapter_key(_selection(), model, BASE, SETTINGS)
    assert adapter_key(_selection(rank=[2, 1], path=[0.5, 0.1]), model, BASE, SETTINGS) == key
    optimisation = SETTINGS.optimisation.model_copy(update={"micro_batch_size": 1})
    small = SETTINGS.model_copy(update={"optimisation": optimisation})
    assert adapter_key(_selection(), model, BASE, small) == key
    other = dataclasses.replace(model, digest="other")
    assert adapter_key(_selection(), other, BASE, SETTINGS) != key
    objective = SETTINGS.model_copy(update={"objective": SFT(target="sample")})
    assert adapter_key(_selection(), model, BASE, objective) != key
    by_metric = {adapter_key(_selection(), model, BASE, SETTINGS, name) for name in ("a", "b")}
    assert len(by_metric | {key}) == 3


def test_the_code_of_an_objective_and_of_no_registry_counts(model: ModelRef) -> None:
    code = set(training_code(SETTINGS, model))
    training = ("adapters", "gradients", "loop", "optimizers", "order", "policy", "timesteps")
    assert {f"mitune.training.{name}" for name in training} <= code
    assert {"mitune.objectives.sft", "mitune.objectives.rows.single"} <= code
    assert {"mitune.backbones.stable_diffusion", "mitune.diffusion.prediction"} <= code
    assert (
        not {"mitune.objectives", "mitune.backbones", "mitune.backbones.stable_diffusion_3"} & code
    )


@pytest.fixture
def candidates(tmp_path: Path) -> Shards:
    latents = np.random.default_rng(0).normal(size=(2, 512)).astype(np.float16)
    shard = pd.DataFrame({"image_index": [0, 1], "latent": [row.tobytes() for row in latents]})
    shard.attrs = {"latent_shape": [8, 8, 8]}
    (tmp_path / "shards").mkdir()
    write_shard(shard, tmp_path / "shards/p.parquet")
    return shards_in(tmp_path / "shards")


def test_a_finished_adapter_is_found_again_unless_it_is_broken(
    model: ModelRef, candidates: Shards, tmp_path: Path
) -> None:
    chosen = pd.DataFrame({"prompt_id": "p", "prompt": "a red star", "image_index": [0, 1]})
    dataset = AdapterDataset(filepath=str(tmp_path / "adapter/1/adapter"))
    workspace = Workspace(tmp_path / "scratch", adapter_folder=tmp_path / "adapter")

    def trained() -> tuple[AdapterRef, pd.DataFrame]:
        shutil.rmtree(tmp_path / "scratch", ignore_errors=True)
        return train(
            chosen, candidates, model, BASE, workspace, SETTINGS, ALONE
        )  # fmt: skip

    adapter, log = trained()
    dataset.save(adapter)
    saved = dataset.load()
    mark = Path(str(saved.path)) / "mark"
    mark.touch()
    again, same_log = trained()
    assert (Path(str(again.path)) / mark.name).exists() and mark.exists()
    pd.testing.assert_frame_equal(same_log, log, check_exact=True)
    assert again.round == saved.round == 1
    weights = Path(str(saved.path)) / WEIGHTS
    expected = weights.read_bytes()
    weights.write_bytes(expected[:-100])
    anew, _ = trained()
    assert not (Path(str(anew.path)) / mark.name).exists()
    dataset.save(anew)
    assert dataset.load().digest == saved.digest


def _latent(candidates: Shards, prompt_id: str, index: int) -> bytes:
    return candidates[prompt_id].set_index("image_index")["latent"][index]


def test_every_line_of_a_set_gets_the_latent_of_its_own_picture(
    candidates: Shards, tmp_path: Path
) -> None:
    other = candidates["p"].assign(image_index=[1, 0])
    other.attrs = {"latent_shape": [8, 8, 8]}
    write_shard(other, tmp_path / "shards/q.parquet")
    both = shards_in(tmp_path / "shards")
    chosen = pd.DataFrame(
        {
            "prompt_id": ["q", "p", "p", "q", "p", "p"],  # a picture may come twice
            "image_index": [0, 1, 0, 1, 0, 0],
            "prompt": ["a", "a", "b", "b", "c", "d"],
            "role": ["positive", "negative"] * 3,
        }
    )
    found = with_latents(chosen, both)
    pd.testing.assert_frame_equal(found.drop(columns="latent"), chosen)
    places = zip(chosen["prompt_id"], chosen["image_index"], strict=True)
    assert found["latent"].tolist() == [_latent(both, *place) for place in places]
    assert found.attrs == {"latent_shape": [8, 8, 8]}
    with pytest.raises(UserError, match=r"^q: candidate 7 of the fine-tuning set is not there; re"):
        with_latents(chosen.assign(image_index=[7, 1, 0, 1, 0, 0]), both)
    with pytest.raises(UserError, match=r"^the fine-tuning set is empty"):
        with_latents(chosen.iloc[:0], both)


def test_a_set_without_winners_is_refused_before_the_model_is_opened(
    candidates: Shards, tmp_path: Path
) -> None:
    nowhere = ModelRef(str(tmp_path / "nowhere"), "none")
    workspace = Workspace(tmp_path / "scratch", adapter_folder=tmp_path / "adapter")
    settings = SETTINGS.model_copy(update={"objective": DiffusionDPO()})
    losers = pd.DataFrame(
        {"prompt_id": "p", "prompt": "a red star", "image_index": [0, 1], "example": 0}
    )

    def tried(**columns: object) -> None:
        chosen = losers.assign(**columns)
        train(chosen, candidates, nowhere, BASE, workspace, settings, Resources(device="cpu"))

    with pytest.raises(UserError, match=r"^example 0: 0 lines of winner; .* add it, or drop"):
        tried(role="loser", example=[0, 1])
    with pytest.raises(UserError, match="no column 'role'"):
        tried()


def test_an_interrupted_run_on_pairs_ends_with_the_same_adapter(
    model: ModelRef, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    latents = rng.normal(size=(8, 512)).astype(np.float16)
    frame = pd.DataFrame(
        {
            "prompt_id": np.repeat(["p", "q"], 4),
            "category": "color",
            "prompt": np.repeat(["a red star", "a blue square"], 4),
            "image_index": np.tile(np.arange(4), 2),
            "information": rng.normal(size=8),
            "latent": [row.tobytes() for row in latents],
        }
    )
    chosen = Pairs(score="information", k=3)(frame)
    chosen.attrs = {"latent_shape": [8, 8, 8]}
    settings = Finetuning(
        objective=DiffusionDPO(),
        adapter=AdapterSettings(rank=2, alpha=2),
        optimisation=Optimisation(steps=4, batch_size=4, learning_rate=1e-2),
    )

    def steps(backbone: Backbone, checkpoint: Checkpoint | None) -> Iterator[TrainingStep]:
        return finetune(backbone, chosen, settings, BASE, Accelerator(cpu=True), checkpoint)

    def weights(backbone: Backbone, folder: Path) -> dict[str, torch.Tensor]:
        save(backbone, folder, settings, {"round": 1})
        return load_file(folder / WEIGHTS)

    whole, first, resumed = (open_backbone(model, torch.device("cpu")) for _ in range(3))
    log = list(steps(whole, None))
    expected = weights(whole, tmp_path / "whole")
    assert any(name.endswith("up.weight") and tensor.any() for name, tensor in expected.items())
    checkpoint = Checkpoint(tmp_path / "state.pt", "k", every=0.0)
    interrupted = steps(first, checkpoint)
    next(interrupted), next(interrupted)
    assert list(steps(resumed, checkpoint)) == log
    found = weights(resumed, tmp_path / "resumed")
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)


class InTwos(SFT):
    @property
    def group(self) -> int:
        return 2


@pytest.mark.parametrize("field", ["batch_size", "micro_batch_size"])
def test_a_batch_that_splits_a_group_is_refused(field: str) -> None:
    optimisation = Optimisation(**{"batch_size": 6, field: 3})
    with pytest.raises(ValidationError, match=rf"optimisation.{field} 3 is no multiple of 2"):
        Finetuning(objective=InTwos(), optimisation=optimisation)
    assert Finetuning(objective=InTwos(), optimisation=Optimisation(batch_size=4))


def test_two_processes_train_what_one_does_in_halves(
    model: ModelRef, candidates: Shards, tmp_path: Path
) -> None:
    chosen = pd.DataFrame({"prompt_id": "p", "prompt": "a red star", "image_index": [0, 1]})
    halves = SETTINGS.optimisation.model_copy(update={"micro_batch_size": 1, "steps": 4})
    settings = SETTINGS.model_copy(update={"optimisation": halves})

    def trained(scratch: str, resources: Resources) -> tuple[str, pd.DataFrame]:
        workspace = Workspace(tmp_path / scratch, adapter_folder=tmp_path / "none")
        adapter, log = train(chosen, candidates, model, BASE, workspace, settings, resources)
        return digest(Path(str(adapter.path))), log

    together = Resources(device="cpu", executor="processes", workers=2)
    weights, log = trained("one", ALONE)
    theirs, their_log = trained("two", together)
    assert theirs == weights
    timed = [each.drop(columns="seconds") for each in (their_log, log)]
    pd.testing.assert_frame_equal(*timed, check_exact=True)


def test_a_log_has_a_column_for_all_that_is_watched(tmp_path: Path) -> None:
    plain = [TrainingStep(index, 0.1 * index, 1.0, 1e-3, 0.5) for index in range(3)]
    write_log(tmp_path, plain)
    log = read_log(tmp_path)
    assert list(log) == ["index", "loss", "grad_norm", "learning_rate", "seconds"]
    assert log["loss"].tolist() == [step.loss for step in plain]
    log.to_parquet(tmp_path / "log.parquet")
    write_log(tmp_path, [dataclasses.replace(step, watched={"margin": 0.25}) for step in plain])
    assert list(read_log(tmp_path))[-2:] == ["seconds", "margin"]
    assert read_log(tmp_path)["margin"].tolist() == [0.25] * 3
