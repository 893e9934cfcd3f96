"""`kedro run --pipeline=merge`: adapters of two campaigns to one, and between them."""

import json
from dataclasses import asdict
from pathlib import Path

import pandas as pd
import pytest
import torch
from pydantic import ValidationError

from mitune.backbones import AdapterRef, ModelRef, open_backbone
from mitune.datasets import ModelDataset, Workspace
from mitune.datasets.adapters import AdaptersDataset
from mitune.errors import UserError
from mitune.pipelines.merge.nodes import merge
from mitune.pipelines.merge.parameters import Merge
from mitune.training import adapters
from mitune.training.adapter_weights import digest
from mitune.training.adapters import AdapterSettings
from tests.conftest import SHIPPED
from tests.pipelines.conftest import run

CPU = torch.device("cpu")
CONFIG = """
run:
  pipeline: merge
  params:
    campaign: merged
    merge:
      adapters: [{adapter: color/round_1, weight: 0.25}, {adapter: shape/round_1, weight: 0.75}]
      sweep: [0, 0.5]
"""


def _adapter(model: ModelRef, folder: Path, seed: int) -> AdapterRef:
    backbone = open_backbone(model, CPU)
    adapters.attach(backbone, AdapterSettings(rank=2, alpha=2, targets="attention"), seed)
    generator = torch.Generator().manual_seed(seed)
    for name, values in backbone.network.named_parameters():
        if "lora_B" in name:
            values.data = 0.1 * torch.randn(values.shape, generator=generator)
    adapters.save(backbone, folder, {"round": 1, "model": asdict(model)})
    return AdapterRef(str(folder), digest(folder), 1)


def _settings(models: Path, *given: dict[str, object], **options: object) -> Merge:
    return Merge.model_validate(
        {"models": models, "campaign": "main", "adapters": given, **options}
    )


def test_a_run_writes_the_mean_a_sweep_and_their_costs(project: Path) -> None:
    shipped = str(SHIPPED / "miniature-sd")
    model = ModelDataset(path=shipped, hub_id=shipped).load()
    for seed, name in enumerate(("color", "shape")):
        versions = project / f"data/smoke/06_models/{name}/round_1/adapter"
        _adapter(model, versions / "2026-01-01T00.00.00.000Z/adapter", seed)
    (project / "merge.yml").write_text(CONFIG)
    finished = run(project, "--config=merge.yml")
    assert finished.returncode == 0, finished.stderr[-2000:]

    costs = pd.read_csv(project / "data/smoke/08_reporting/merged/merge_costs.csv")
    assert costs["mixture"].tolist() == ["mean", "0", "0.5"]
    assert costs["weight of color/round_1"].tolist() == [0.25, 0, 0.5]
    assert costs["rank"].tolist() == [4, 2, 4] and (costs["truncation_error"] == 0).all()
    assert costs["parameter_mean_error"][0] > 0.1 > costs["parameter_mean_error"][1]
    sweep = AdaptersDataset(
        filepath=str(project / "data/smoke/06_models/merged/merged/sweep")
    ).load()
    assert list(sweep) == ["0", "0.5"] and all(ref.round == 1 for ref in sweep.values())
    facts = json.loads((Path(sweep["0.5"].path) / "adapter.json").read_text())
    assert [part["weight"] for part in facts["merged"]] == [0.5, 0.5]
    assert facts["model"]["digest"] == model.digest
    record = project / "data/smoke/02_intermediate/merged/lineage/merge_costs.json"
    inputs = json.loads(record.read_text())["ingredients"]["inputs"]
    assert sum("06_models/color/round_1" in name for name in inputs) == 1


def test_the_mean_of_an_adapter_with_the_base_by_folder(tmp_path: Path, model: ModelRef) -> None:
    _adapter(model, tmp_path / "one", 0)
    parts = ({"adapter": str(tmp_path / "one")}, {"adapter": "base"})
    merged, sweep, costs = merge(model, Workspace(tmp_path), _settings(tmp_path, *parts, rank=1))
    assert not sweep and costs["rank"].tolist() == [1]
    assert 0 < costs["truncation_error"][0] < 1
    backbone = open_backbone(model, CPU)
    adapters.load(backbone, merged)
    assert backbone.network.peft_config[adapters.NAME].r == 1


def test_a_missing_adapter_is_named_with_where_it_would_be(tmp_path: Path, model) -> None:
    settings = _settings(tmp_path, {"adapter": "shape/round_1"})
    assert settings.files == (tmp_path / "shape/round_1/adapter",)
    with pytest.raises(UserError, match=r"shape/round_1: no adapter in .*shape/round_1/adapter"):
        merge(model, Workspace(tmp_path), settings)


def test_an_adapter_of_another_model_is_refused(tmp_path: Path, model: ModelRef) -> None:
    _adapter(model, tmp_path / "one", 0)
    settings = _settings(tmp_path, {"adapter": str(tmp_path / "one")})
    with pytest.raises(UserError, match=r"an adapter of .*, not of other"):
        merge(ModelRef("other", "other"), Workspace(tmp_path), settings)


@pytest.mark.parametrize(
    ("weights", "options", "message"),
    [
        ((0.5, 0.4), {}, r"add up to 1, not 0\.9"),
        ((0.5, None), {}, "all of them a weight, or none"),
        ((0.5, 0.2, 0.3), {"sweep": [0.5]}, "takes two adapters"),
        ((float("nan"), 0.5), {}, "finite"),
        ((), {}, "at least 1"),
    ],
)
def test_settings_that_are_no_mean_are_refused(weights, options, message: str) -> None:
    given = [{"adapter": "round_1", "weight": weight} for weight in weights]
    with pytest.raises(ValidationError, match=message):
        _settings(Path(), *given, **options)


def test_without_weights_it_is_the_plain_mean() -> None:
    settings = _settings(Path(), *({"adapter": name} for name in "abc"))
    assert settings.weights == pytest.approx((1 / 3, 1 / 3, 1 / 3))
