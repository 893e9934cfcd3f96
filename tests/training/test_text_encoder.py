"""UNet and text encoder trained together: gradients reach both, and diffusers loads both."""

from pathlib import Path

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from diffusers import DiffusionPipeline
from pydantic import ValidationError
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from mitune.backbones import AdapterRef, ModelRef, open_backbone
from mitune.backbones.base import Backbone
from mitune.errors import UserError
from mitune.training import adapters, merging
from mitune.training.adapted import adapted
from mitune.training.adapter_weights import WEIGHTS
from mitune.training.adapters import AdapterSettings
from mitune.training.finetuning import Finetuning, check_start, finetune, save
from mitune.training.optimisation import Optimisation
from mitune.training.policy import policy_from_base
from mitune.training.text_encoder import check_encoder, encoding
from mitune.weights import WeightsError
from tests.conftest import SHIPPED
from tests.training.test_adapters import _selection

CPU = torch.device("cpu")
PROMPTS = ["a red circle and a blue square", "a small cross"]
BOTH = AdapterSettings(rank=4, alpha=4, targets="attention", text_encoder=True)
SETTINGS = Finetuning(
    adapter=BOTH, optimisation=Optimisation(steps=3, batch_size=4, learning_rate=1e-2)
)


def _inputs(backbone: Backbone) -> tuple[torch.Tensor, torch.Tensor]:
    z = torch.randn(3, *backbone.latent_shape, generator=torch.Generator().manual_seed(0))
    return z, torch.tensor([300, 700, 20])


def _trained(model: ModelRef) -> Backbone:
    backbone = open_backbone(model, CPU)
    given = (_selection(), SETTINGS, AdapterRef(None), Accelerator(cpu=True))
    losses = [step.loss for step in finetune(backbone, *given)]
    assert len(losses) == 3
    return backbone


def test_numbers_of_prompts_predict_as_their_embeddings_do(backbone: Backbone) -> None:
    joint = encoding(backbone)
    numbers = joint.numbered([*PROMPTS, ""])
    order = [1, 2, 1]
    texts = [[*PROMPTS, ""][place] for place in order]
    with torch.no_grad():
        expected = backbone.denoiser.predict(*_inputs(backbone), backbone.encode_prompts(texts))
        found = joint.predict(*_inputs(backbone), numbers[order])
    torch.testing.assert_close(found.raw, expected.raw)
    assert joint.path is backbone.denoiser.path


def test_gradients_reach_both_and_the_reference_is_bitwise_the_base(backbone: Backbone) -> None:
    joint = encoding(backbone)
    numbers = joint.numbered(PROMPTS)[[0, 1, 0]]
    with torch.no_grad():
        base = joint.predict(*_inputs(backbone), numbers).raw
    adapters.attach(backbone, BOTH, seed=0)
    parts = adapted(backbone)
    assert list(parts) == ["unet", "text_encoder"]
    with torch.no_grad():
        for part in parts.values():
            for name, parameter in part.named_parameters():
                if "lora_B" in name:
                    parameter.add_(0.1)
    policy = policy_from_base(backbone, joint, nn.ModuleDict())
    tuned = policy.predict(*_inputs(backbone), numbers).raw
    tuned.square().sum().backward()
    for part in parts.values():
        trainable = {n: p for n, p in part.named_parameters() if p.requires_grad}
        assert trainable and all("lora_" in name for name in trainable)
        assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in trainable.values())
    assert torch.equal(policy.reference.predict(*_inputs(backbone), numbers).raw, base)
    assert not torch.allclose(tuned, base)


def test_plain_diffusers_loads_both_to_the_same_embeddings_and_picture(
    model: ModelRef, tmp_path: Path
) -> None:
    backbone = _trained(model)
    save(backbone, tmp_path / "joint", SETTINGS, {"round": 1})
    with torch.no_grad():
        ours = backbone.encode_prompts(PROMPTS).tensors["prompt"]
        untrained = open_backbone(model, CPU).encode_prompts(PROMPTS).tensors["prompt"]
    assert not torch.allclose(ours, untrained, atol=1e-3)

    def painted(pipeline: DiffusionPipeline) -> np.ndarray:
        generator = torch.Generator().manual_seed(0)
        drawn = pipeline(PROMPTS[0], num_inference_steps=2, generator=generator, output_type="np")
        return drawn.images[0]

    plain = DiffusionPipeline.from_pretrained(
        model.path, safety_checker=None, torch_dtype=torch.float32
    )
    plain.set_progress_bar_config(disable=True)
    before = painted(plain)
    plain.load_lora_weights(tmp_path / "joint")
    theirs, _ = plain.encode_prompt(PROMPTS, CPU, 1, do_classifier_free_guidance=False)
    torch.testing.assert_close(theirs, ours, atol=1e-5, rtol=1e-4)
    expected = painted(plain)
    assert np.abs(expected - before).max() > 1e-3

    again = open_backbone(model, CPU)
    adapters.load(again, AdapterRef(str(tmp_path / "joint"), "d", 1))
    adapters.fuse(again)
    assert not again.pipeline.get_active_adapters()
    np.testing.assert_allclose(painted(again.pipeline), expected, atol=1e-3)


def test_going_on_trains_both_further(model: ModelRef, tmp_path: Path) -> None:
    save(_trained(model), tmp_path / "first", SETTINGS, {"round": 1})
    previous = AdapterRef(str(tmp_path / "first"), "d", 1)
    again = open_backbone(model, CPU)
    adapters.load(again, previous, trainable=True)
    trainable = {
        name: [n for n, p in part.named_parameters() if p.requires_grad]
        for name, part in adapted(again).items()
    }
    assert trainable["unet"] and trainable["text_encoder"]
    alone = SETTINGS.model_copy(update={"adapter": BOTH.model_copy(update={"text_encoder": False})})
    with pytest.raises(UserError, match=r"text_encoder False, but .* text_encoder True"):
        check_start(alone, previous)
    with pytest.raises(UserError, match="adapts text_encoder too"):
        merging.read(open_backbone(model, CPU), previous)


def test_a_file_that_lacks_a_part_of_the_encoders_adapter_is_refused(
    backbone: Backbone, model: ModelRef, tmp_path: Path
) -> None:
    adapters.attach(backbone, BOTH, seed=0)
    save(backbone, tmp_path, SETTINGS, {"round": 1})
    with safe_open(tmp_path / WEIGHTS, framework="pt") as file:
        metadata = file.metadata()
    state = load_file(tmp_path / WEIGHTS)
    (*_, lost) = sorted(n for n in state if n.startswith("text_encoder") and "magnitude" in n)
    del state[lost]
    save_file(state, tmp_path / WEIGHTS, metadata=metadata)
    with pytest.raises(WeightsError, match=r"text_encoder\..*lora_magnitude_vector is missing"):
        adapters.load(open_backbone(model, CPU), AdapterRef(str(tmp_path), "d", 1))


def test_it_is_refused_where_there_is_more_than_one_encoder() -> None:
    flow = ModelRef(str(SHIPPED / "miniature-sd3"), "shipped")
    with pytest.raises(UserError, match="StableDiffusion3Pipeline has several encoders"):
        check_encoder(open_backbone(flow, CPU))


def test_it_is_refused_where_prompts_are_encoded_once() -> None:
    with pytest.raises(ValidationError, match="dpok encodes its prompts once"):
        Finetuning.model_validate(
            {"objective": {"kind": "dpok", "reward": "clip"}, "adapter": {"text_encoder": True}}
        )


def test_the_field_is_in_no_name_of_an_adapter_without_it() -> None:
    assert "text_encoder" not in AdapterSettings().model_dump()
    assert BOTH.model_dump()["text_encoder"] is True
