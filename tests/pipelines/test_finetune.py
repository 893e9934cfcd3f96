"""What an adapter's name covers, and that an adapter with that name is found again."""

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from mitune.backbones import AdapterRef, ModelRef
from mitune.datasets import AdapterDataset, Workspace
from mitune.datasets.shards import Shards, shards_in
from mitune.objectives import SFT
from mitune.pipelines.finetune.key import adapter_key, training_code
from mitune.pipelines.finetune.nodes import train
from mitune.pipelines.shared.resources import Resources
from mitune.training.adapter_weights import WEIGHTS
from mitune.training.adapters import AdapterSettings
from mitune.training.finetuning import Finetuning
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
    shard.to_parquet(tmp_path / "shards/p.parquet")
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

    def trained(scratch: str, resources: Resources) -> tuple[bytes, pd.DataFrame]:
        workspace = Workspace(tmp_path / scratch, adapter_folder=tmp_path / "none")
        adapter, log = train(chosen, candidates, model, BASE, workspace, settings, resources)
        return (Path(str(adapter.path)) / WEIGHTS).read_bytes(), log

    together = Resources(device="cpu", executor="processes", workers=2)
    weights, log = trained("one", ALONE)
    theirs, their_log = trained("two", together)
    assert theirs == weights
    pd.testing.assert_frame_equal(their_log, log, check_exact=True)
