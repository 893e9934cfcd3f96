"""The mean of adapters in one layer, in float64, against its definition."""

import json
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, LoraModel
from torch import Tensor, nn

from mitune.training.low_rank import LowRank, mean, parameter_mean

GOLDEN = json.loads((Path(__file__).parent / "golden_dora_merge.json").read_text())["cases"]


def _tensor(values) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def _adapter(generator: torch.Generator, rank: int, dora: bool, rows=6, columns=8) -> LowRank:
    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    return LowRank(normal(rank, columns), normal(rows, rank), normal(rows).abs() if dora else None)


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.fixture
def weight(generator) -> Tensor:
    return torch.randn(6, 8, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("case", range(len(GOLDEN)))
def test_the_golden_means(case: int) -> None:
    """Computed independently, from the definition."""
    golden = GOLDEN[case]
    weight, shares, x = _tensor(golden["weight"]), golden["weights"], _tensor(golden["x"])
    dora = [
        LowRank(_tensor(a["A"]), a["alpha"] / a["rank"] * _tensor(a["B"]), _tensor(a["magnitude"]))
        for a in golden["adapters"]
    ]
    for adapter, effective in zip(dora, golden["effective"], strict=True):
        torch.testing.assert_close(adapter.effective(weight), _tensor(effective), atol=1e-9, rtol=0)
    merged = mean(weight, dora, shares, dora=True).adapter.effective(weight)
    torch.testing.assert_close(merged, _tensor(golden["mean_effective"]), atol=1e-9, rtol=0)
    torch.testing.assert_close(x @ merged.T, _tensor(golden["y"]), atol=1e-9, rtol=0)
    lora = [LowRank(adapter.down, adapter.up) for adapter in dora]
    merged = mean(weight, lora, shares, dora=False).adapter.effective(weight)
    torch.testing.assert_close(merged, _tensor(golden["lora_mean_effective"]), atol=1e-9, rtol=0)


@pytest.mark.parametrize("shares", [(0.2, 0.3, 0.4, 0.1), (1.3, -0.2, 0.1, -0.2)])
def test_kinds_and_ranks_mix_and_an_absent_adapter_is_the_base(generator, weight, shares) -> None:
    parts = [_adapter(generator, 2, True), _adapter(generator, 3, False), None]
    parts += [_adapter(generator, 1, True)]
    merged = mean(weight, parts, shares, dora=True)
    wanted = sum(
        share * (weight if part is None else part.effective(weight))
        for share, part in zip(shares, parts, strict=True)
    )
    assert merged.adapter.down.shape == (6, 8) and merged.lost == 0
    torch.testing.assert_close(merged.adapter.effective(weight), wanted, atol=1e-12, rtol=0)
    assert merged.moved == pytest.approx(float((wanted - weight).norm()))


@pytest.mark.parametrize("dora", [False, True])
def test_copies_of_an_adapter_are_that_adapter(generator, weight, dora: bool) -> None:
    part = _adapter(generator, 2, dora)
    merged = mean(weight, [part] * 3, [0.5, 0.2, 0.3], dora=dora)
    wanted = part.effective(weight)
    torch.testing.assert_close(merged.adapter.effective(weight), wanted, atol=1e-12, rtol=0)


def test_the_mean_of_loras_is_the_concatenation_of_peft(generator) -> None:
    network = nn.Sequential(nn.Linear(8, 6), nn.Conv2d(3, 5, 3)).double()
    config = LoraConfig(r=2, lora_alpha=3, target_modules=["0", "1"], init_lora_weights=False)
    peft = LoraModel(network, config, "first")
    config = LoraConfig(r=4, lora_alpha=2, target_modules=["0", "1"], init_lora_weights=False)
    peft.peft_config["second"] = config
    peft.inject_adapter(network, "second")
    peft.add_weighted_adapter(["first", "second"], [0.3, 0.7], "mean", combination_type="cat")
    for layer in network:
        weight = layer.get_base_layer().weight.detach().flatten(1)
        parts = [
            LowRank(
                layer.lora_A[name].weight.detach().flatten(1),
                layer.lora_B[name].weight.detach().flatten(1) * layer.scaling[name],
            )
            for name in ("first", "second")
        ]
        merged = mean(weight, parts, [0.3, 0.7], dora=False).adapter
        theirs = layer.get_delta_weight("mean").detach().flatten(1)
        torch.testing.assert_close(merged.up @ merged.down, theirs, atol=1e-7, rtol=0)


def test_a_row_without_direction_stays_a_number(generator, weight) -> None:
    """Zero in the base and in all adapters, in one of them, or of magnitude zero."""
    weight[0] = weight[1] = 0
    first, second = _adapter(generator, 2, True), _adapter(generator, 3, True)
    first.up[0] = second.up[0] = first.up[1] = 0
    first.magnitude[2] = second.magnitude[2] = 0
    merged = mean(weight, [first, second], [0.4, 0.6], dora=True).adapter
    norm = (weight + merged.up @ merged.down).norm(dim=1)
    assert (norm > 0).all(), "peft divides by it"
    wanted = 0.4 * first.effective(weight) + 0.6 * second.effective(weight)
    assert wanted[0].eq(0).all() and wanted[1].norm() > 0 and wanted[2].eq(0).all()
    torch.testing.assert_close(merged.effective(weight), wanted, atol=1e-12, rtol=0)


def test_weights_that_cancel_the_base_are_refused(weight, generator) -> None:
    lora = _adapter(generator, 2, False)
    flipped = LowRank(lora.down, lora.up, -(weight + lora.up @ lora.down).norm(dim=1))
    with pytest.raises(ValueError, match="cancel"):
        mean(weight, [lora, flipped], [0.5, 0.5], dora=True)


@pytest.mark.parametrize("dora", [False, True])
def test_what_truncation_loses_is_what_it_says(generator, weight, dora: bool) -> None:
    parts = [_adapter(generator, 2, dora), _adapter(generator, 3, dora)]
    exact = mean(weight, parts, [0.5, 0.5], dora=dora)
    wanted = exact.adapter.effective(weight)
    lost = []
    for rank in range(1, 6):
        cut = mean(weight, parts, [0.5, 0.5], dora=dora, rank=rank)
        assert len(cut.adapter.down) == rank and cut.moved == pytest.approx(exact.moved)
        distance = float((cut.adapter.effective(weight) - wanted).norm())
        assert cut.lost == pytest.approx(distance, abs=1e-9)
        lost.append(distance)
    assert lost == sorted(lost, reverse=True) and lost[0] > 0.1 and lost[-1] < 1e-9


def test_a_copy_on_top_costs_no_rank(generator, weight) -> None:
    part = _adapter(generator, 2, True)
    cut = mean(weight, [part, part], [0.5, 0.5], dora=True, rank=2)
    assert cut.lost < 1e-12
    wanted = part.effective(weight)
    torch.testing.assert_close(cut.adapter.effective(weight), wanted, atol=1e-12, rtol=0)


def test_untrained_adapters_can_be_cut(generator, weight) -> None:
    """B = 0: nothing to decompose."""
    fresh = [LowRank(_adapter(generator, 2, False).down, torch.zeros(6, 2).double())] * 2
    cut = mean(weight, fresh, [0.5, 0.5], dora=True, rank=1)
    torch.testing.assert_close(cut.adapter.effective(weight), weight, atol=1e-12, rtol=0)


def test_the_mean_of_parameters_is_another_model(generator, weight) -> None:
    parts = [_adapter(generator, 2, True), _adapter(generator, 2, True)]
    exact = mean(weight, parts, [0.5, 0.5], dora=True).adapter.effective(weight)
    by_parameters = parameter_mean(parts, [0.5, 0.5])
    assert (by_parameters.effective(weight) - exact).norm() > 0.1 * exact.norm()
    same = parameter_mean([parts[0]] * 2, [0.5, 0.5])
    torch.testing.assert_close(same.effective(weight), parts[0].effective(weight))


@pytest.mark.parametrize("other", ["base", "rank", "kind"])
def test_adapters_of_other_shapes_have_no_mean_of_parameters(generator, other: str) -> None:
    others = {
        "base": None,
        "rank": _adapter(generator, 3, True),
        "kind": _adapter(generator, 2, False),
    }
    assert parameter_mean([_adapter(generator, 2, True), others[other]], [0.5, 0.5]) is None
