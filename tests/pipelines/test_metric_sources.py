from pathlib import Path

import pytest
from safetensors.torch import save_file

from mitune.errors import UserError
from mitune.pipelines.shared import preflight
from mitune.pipelines.shared.metrics import Metrics


def _metrics(owl: Path, dpt: Path, **hub: str) -> Metrics:
    scorer = {
        "kind": "spatial_3d_ovd",
        "detector": {"kind": "owlv2", "path": owl},
        "depth": {"kind": "dpt", "path": dpt, **hub},
    }
    return Metrics(scorers={"depth": scorer, "dropped": None})


def test_every_network_of_a_metric_is_looked_for(tmp_path: Path) -> None:
    owl, dpt = tmp_path / "owl", tmp_path / "dpt"
    metrics = _metrics(owl, dpt)
    assert metrics.files == (owl, dpt)
    for folder, field in ((owl, "detector.path"), (dpt, "depth.path")):
        with pytest.raises(UserError, match=rf"metrics\.scorers\.depth\.{field}: .* not found"):
            preflight.check_metrics(metrics)
        folder.mkdir()
        save_file({}, folder / "model.safetensors")
    preflight.check_metrics(metrics)
    (dpt / "model.safetensors").write_bytes(b"cut")
    with pytest.raises(UserError, match="truncated"):
        preflight.check_metrics(metrics)


def test_what_the_hub_has_is_left_to_the_hub(tmp_path: Path) -> None:
    owl = tmp_path / "owl"
    owl.mkdir()
    metrics = _metrics(owl, Path("Intel/dpt-hybrid-midas"), revision="main")
    assert metrics.files == (owl,)
    preflight.check_metrics(metrics)
