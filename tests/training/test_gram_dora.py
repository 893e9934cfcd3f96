from collections.abc import Callable

import pytest
import torch
from peft import LoraConfig, get_peft_model
from peft.tuners.lora.dora import DoraLinearLayer
from torch import Tensor, nn

from mitune.backbones.base import Backbone
from mitune.training import adapters
from mitune.training.adapters import AdapterSettings
from mitune.training.gram_dora import GramDora, row_norms, use_gram

DOUBLE = {"dtype": torch.float64}


def _two_layers(bias: bool, dropout: float = 0.0) -> nn.Module:
    """Two adapted layers, so that gradients also pass through one, with B far from 0."""
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Linear(12, 20, bias, **DOUBLE), nn.SiLU(), nn.Linear(20, 6, bias, **DOUBLE)
    )
    config = LoraConfig(
        r=3, lora_alpha=7, use_dora=True, target_modules=["0", "2"], lora_dropout=dropout
    )
    adapted = get_peft_model(network, config).double()
    with torch.no_grad():
        for parameter in adapted.parameters():
            if parameter.requires_grad:
                parameter.add_(0.5 * torch.randn_like(parameter))
    return adapted


def _output_and_gradients(network: nn.Module, x: Tensor) -> list[Tensor]:
    torch.manual_seed(1)  # dropout's
    output = network(x)
    output.sin().sum().backward()
    return [output, x.grad, *(p.grad for p in network.parameters() if p.requires_grad)]


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_output_and_all_gradients_are_those_of_peft(bias: bool, dropout: float) -> None:
    """Dropout makes peft call the layer without the base's output."""
    x = torch.randn(5, 4, 12, **DOUBLE)
    results = []
    for change in (lambda network: None, use_gram):
        network = _two_layers(bias, dropout)
        change(network)
        results.append(_output_and_gradients(network, x.clone().requires_grad_()))
    kinds = [type(module) for module in network.modules()]
    assert kinds.count(GramDora) == 2 and DoraLinearLayer not in kinds
    for found, expected in zip(*reversed(results), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-11, atol=1e-12)
        assert expected.abs().max() > 1e-3


def test_norms_are_constants_for_the_gradient() -> None:
    """The formula written out, with and without the norms detached: only one is DoRA's."""
    generator = torch.Generator().manual_seed(0)
    w, a, b, m, x = (
        torch.randn(shape, generator=generator, **DOUBLE)
        for shape in ((6, 8), (2, 8), (6, 2), (6,), (3, 8))
    )

    def gradient(norms: Callable[[Tensor], Tensor]) -> Tensor:
        leaf = a.clone().requires_grad_()
        changed = w + 0.7 * b @ leaf
        ((m / norms(changed))[:, None] * changed @ x.T).sin().sum().backward()
        assert leaf.grad is not None
        return leaf.grad

    constant = gradient(lambda changed: changed.norm(dim=1).detach())
    ours = gradient(lambda changed: row_norms(w, a, b, 0.7))
    torch.testing.assert_close(ours, constant, rtol=1e-12, atol=1e-12)
    assert not torch.allclose(ours, gradient(lambda changed: changed.norm(dim=1)), rtol=1e-2)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_norms_of_half_precision_weights_do_not_overflow(dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(0)
    w = (300 * torch.randn(40, 64, generator=generator)).to(dtype)  # squares beyond 65504
    a, b = torch.randn(4, 64, generator=generator), torch.randn(40, 4, generator=generator)
    exact = (w.double() + 2.0 * b.double() @ a.double()).norm(dim=1)
    with torch.autocast("cpu", torch.bfloat16):  # as in training in half precision
        found = row_norms(w, a, b, 2.0)
    torch.testing.assert_close(found.double(), exact, rtol=1e-6, atol=0)


def test_a_fresh_adapter_changes_no_bit() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(12, 20), nn.SiLU(), nn.Linear(20, 6, bias=False))
    x = torch.randn(5, 12)
    expected = network(x)
    config = LoraConfig(r=3, lora_alpha=7, use_dora=True, target_modules=["0", "2"])
    adapted = get_peft_model(network, config)
    use_gram(adapted, fresh=True)
    assert torch.equal(adapted(x), expected)


def test_all_adapted_layers_of_a_model_have_it_and_merge_as_before(backbone: Backbone) -> None:
    adapters.attach(backbone, AdapterSettings(rank=4, alpha=4), seed=0)
    kinds = [type(module) for module in backbone.network.modules()]
    assert GramDora in kinds and DoraLinearLayer not in kinds
    with torch.no_grad():
        for parameter in backbone.network.parameters():
            if parameter.requires_grad:
                parameter.add_(0.05 * torch.randn_like(parameter))
    z, t = torch.randn(2, *backbone.latent_shape), torch.tensor([100, 900])
    condition = backbone.encode_prompts(["a red star"]).expand(2)
    with torch.no_grad():
        apart = backbone.denoiser.predict(z, t, condition).eps
        adapters.fuse(backbone)
        merged = backbone.denoiser.predict(z, t, condition).eps
    torch.testing.assert_close(merged, apart, rtol=1e-3, atol=1e-4)
