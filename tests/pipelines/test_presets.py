"""What the presets set, on top of their environments."""

import math

import pytest
import yaml
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project

from mitune.candidates import Generation
from mitune.finetuning import Finetuning
from mitune.pipelines.evaluate.parameters import Evaluation
from tests.conftest import ROOT


@pytest.mark.parametrize("name", ["sd21", "sdxl", "sd35"])
def test_the_released_code_runs_in_float32_throughout(name: str) -> None:
    run = yaml.safe_load((ROOT / f"conf/presets/{name}_released.yml").read_text())["run"]
    bootstrap_project(ROOT)
    with KedroSession.create(ROOT, env=run["env"], runtime_params=run["params"]) as session:
        given = session.load_context().params
    generate = Generation.model_validate(given["generate"])
    evaluate = Evaluation.model_validate(given["evaluate"])
    finetune = Finetuning.model_validate(given["finetune"])
    assert {generate.dtype, evaluate.dtype, finetune.dtype} == {"float32"}
    assert evaluate.sampler == ("flow_euler" if name == "sd35" else "ddim")
    # Only of Stable Diffusion 2.1 does the code clip nothing.
    assert math.isinf(finetune.optimisation.max_grad_norm) == (name == "sd21")
