"""The reference is the model before training, without a second copy of it."""

from pathlib import Path

import pytest
import torch
from torch import nn

from mitune.backbones import AdapterRef, ModelRef, open_backbone
from mitune.backbones.base import Backbone
from mitune.diffusion.denoiser import Denoiser
from mitune.errors import UserError
from mitune.training import adapters
from mitune.training.adapters import AdapterSettings
from mitune.training.finetuning import Finetuning, check_start, save
from mitune.training.policy import policy_from_base, policy_from_previous

SETTINGS = AdapterSettings(rank=2, alpha=2)


def _predict(denoiser: Denoiser, backbone: Backbone) -> torch.Tensor:
    z = torch.randn(2, *backbone.latent_shape, generator=torch.Generator().manual_seed(0))
    condition = backbone.encode_prompts(["a red circle"]).expand(2)
    return denoiser.predict(z, torch.tensor([300, 700]), condition).raw


def _disturb(backbone: Backbone) -> None:
    """As if training had moved the adapter."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, parameter in sorted(backbone.network.named_parameters()):
            if parameter.requires_grad:
                parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
                assert "lora_" in name


def _trainable(backbone: Backbone) -> list[str]:
    return [name for name, p in backbone.network.named_parameters() if p.requires_grad]


def test_the_reference_is_bitwise_the_base_model_whatever_was_trained(backbone: Backbone) -> None:
    with torch.no_grad():
        base = _predict(backbone.denoiser, backbone)
    adapters.attach(backbone, SETTINGS, seed=0)
    policy = policy_from_base(backbone, backbone.denoiser, nn.ModuleDict())
    before = _trainable(backbone)
    assert torch.equal(_predict(policy.reference, backbone), base)
    _disturb(backbone)
    reference = _predict(policy.reference, backbone)
    assert torch.equal(reference, base) and not reference.requires_grad
    assert _trainable(backbone) == before
    tuned = _predict(policy, backbone)
    assert tuned.requires_grad and not torch.allclose(tuned, base)


def test_a_reference_taken_between_forward_and_backward_leaves_the_gradient(
    backbone: Backbone,
) -> None:
    adapters.attach(backbone, SETTINGS, seed=0)
    _disturb(backbone)
    policy = policy_from_base(backbone, backbone.denoiser, nn.ModuleDict())

    def gradient(with_reference: bool) -> torch.Tensor:
        loss = _predict(policy, backbone).square().sum()
        if with_reference:
            _predict(policy.reference, backbone)
        backbone.network.zero_grad()
        loss.backward()
        parameters = backbone.network.named_parameters()
        return torch.cat([p.grad.flatten() for _, p in parameters if p.requires_grad])

    assert torch.equal(gradient(True), gradient(False))


def test_going_on_from_an_adapter_the_reference_is_that_adapter(
    backbone: Backbone, model: ModelRef, tmp_path: Path
) -> None:
    settings = Finetuning(adapter=SETTINGS)
    adapters.attach(backbone, SETTINGS, seed=0)
    _disturb(backbone)
    save(backbone, tmp_path / "first", settings, {"round": 1})
    with torch.no_grad():
        expected = _predict(backbone.denoiser, backbone)
    previous = AdapterRef(str(tmp_path / "first"), "d", 1)
    again = open_backbone(model, torch.device("cpu"))
    adapters.load(again, previous, trainable=True)
    policy = policy_from_previous(again, again.denoiser, previous, nn.ModuleDict())
    names = _trainable(again)
    assert names and not [name for name in names if adapters.REFERENCE in name]
    torch.testing.assert_close(_predict(policy, again), expected)
    _disturb(again)
    torch.testing.assert_close(_predict(policy.reference, again), expected)
    assert not torch.allclose(_predict(policy, again), expected, atol=1e-3)
    assert _trainable(again) == names
    # Of both, only the trained one is saved.
    save(again, tmp_path / "second", settings, {"round": 2})
    third = open_backbone(model, torch.device("cpu"))
    adapters.load(third, AdapterRef(str(tmp_path / "second"), "d", 2))
    torch.testing.assert_close(
        _predict(third.denoiser, third), _predict(policy, again), atol=1e-5, rtol=1e-4
    )

    other = settings.model_copy(update={"adapter": AdapterSettings(rank=4, alpha=2)})
    with pytest.raises(UserError, match=r"finetune.adapter: rank 4, but .* of rank 2; give"):
        check_start(other, previous)
    check_start(other.model_copy(update={"start": "fresh"}), previous)
    check_start(settings, previous)
