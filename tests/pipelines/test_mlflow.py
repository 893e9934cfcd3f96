"""Tracking of the whole job: what is logged comes back in a process that knows nothing of it."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from mlflow import MlflowClient

from tests.pipelines.conftest import run

pytestmark = pytest.mark.slow

LOAD = """
import mlflow, torch
mlflow.set_tracking_uri("sqlite:///mlflow.db")
adapted = mlflow.diffusers.load_model("models:/mitune-adapter@round_2")
pipeline = adapted.load_pipeline(device="cpu")
names = {n for n, _ in pipeline.unet.named_parameters() if "lora" in n}
assert any("lora_magnitude_vector" in n for n in names), "not the DoRA adapter"
print("layers", len(names))
"""


@pytest.fixture(scope="module")
def tracked(project: Path, finished, tmp_path_factory) -> Path:
    """The finished project, one stage of it run again with tracking on."""
    assert finished.returncode == 0, finished.stderr[-3000:]
    folder = tmp_path_factory.mktemp("tracked")
    shutil.copytree(project, folder, dirs_exist_ok=True)
    (folder / "mlflow.db").unlink(missing_ok=True)  # of other tests
    (folder / "conf/smoke/mlflow.yml").write_text("enabled: true\n")
    for part in ("round_2.finetune", "round_2.evaluate", "round_2.evaluate"):
        found = run(folder, f"--namespaces={part}")
        assert found.returncode == 0, found.stderr[-3000:]
        assert "tracking off" not in found.stderr
    return folder


def test_a_later_evaluation_lands_on_the_model_it_is_of(tracked: Path) -> None:
    client = MlflowClient(f"sqlite:///{tracked / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("mitune")
    (model,) = client.search_logged_models([experiment.experiment_id])
    judged = [metric for metric in model.metrics if metric.key == "judge"]
    assert len({metric.run_id for metric in judged}) == 2
    runs = {r.info.run_name: r for r in client.search_runs([experiment.experiment_id])}
    assert {"mitune: round_2.finetune", "mitune: round_2.evaluate", "round_2"} <= runs.keys()
    parameters = runs["mitune: round_2.finetune"].data.params
    assert parameters["finetune.objective.kind"] == "sft" and len(parameters) > 100


def test_an_adapter_comes_back_by_its_alias(tracked: Path) -> None:
    found = subprocess.run(
        [sys.executable, "-c", LOAD], cwd=tracked, capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stderr[-3000:]
    assert int(found.stdout.split()[-1]) > 10
