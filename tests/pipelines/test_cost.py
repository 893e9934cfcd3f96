import pytest
from kedro.io import DataCatalog

from mitune.candidates import Generation
from mitune.jobs.schedule import Conditions
from mitune.pipeline_registry import register_pipelines
from mitune.pipelines.prompts.parameters import Prompts
from mitune.pipelines.shared.cost import cost_of, on_devices
from mitune.pipelines.shared.resources import Resources
from mitune.pipelines.shared.speed import Speed
from tests.conftest import ROOT


def test_devices_share_the_jobs_of_a_stage() -> None:
    """20 prompts x 50 images: four jobs of five prompts, which fill four batches of 64."""
    catalog = DataCatalog()
    catalog["params:prompts"] = Prompts(categories=("color",), train_per_category=20)
    catalog["prompt_files"] = ROOT / "data/01_raw/prompts/miniature"
    catalog["params:resources"] = Resources(device="cpu", batch_size=64)
    catalog["params:generate"] = Generation(images_per_prompt=50, steps=3)
    name = "round_1.generate.generate_candidates"
    nodes = [node for node in register_pipelines()["mitune"].nodes if node.name == name]
    (cost,) = cost_of(nodes, catalog, Speed(0.01, 1.0, 8, 8, start=7.0))
    assert cost.evaluations == 20 * 50 * 3 * 2 and len(cost.jobs) == 4
    assert sum(cost.jobs) == pytest.approx(cost.seconds) == pytest.approx(60.0)
    for devices, seconds in ((1, 7 + 60), (2, 7 + 30), (4, 7 + 15), (1000, 7 + 15)):
        found = on_devices([cost], devices, Conditions(7.0))
        assert found.seconds == pytest.approx(seconds)
        assert found.efficiency == pytest.approx(60 / (devices * seconds))
    assert on_devices([cost, cost], 2, Conditions(7.0)).seconds == pytest.approx(2 * 37)
