import os
import socket
from pathlib import Path

import pytest
import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.optim.optimizer import register_optimizer_step_pre_hook

from mitune.objectives import Losses
from mitune.training.checkpoint import Checkpoint
from mitune.training.loop import fit, train
from mitune.training.optimisation import Optimisation
from mitune.training.task import EachAlone

SETTINGS = Optimisation(steps=12, batch_size=6, learning_rate=1e-2, weight_decay=0.0)


def _network() -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(5, 2)


def _loss(network: nn.Module, scale: float = 1.0):
    def loss(step: int, rows: Tensor) -> Tensor:
        x = torch.randn(6, 5, generator=torch.Generator().manual_seed(step))[rows]
        return scale * (network(x) - x[:, :2]).square().sum(1)

    return loss


def _train(settings: Optimisation = SETTINGS, **options) -> nn.Linear:
    network = _network()
    for _ in fit({"n": network}, _loss(network), settings, Accelerator(cpu=True), **options):
        pass
    return network


def test_it_is_adamw_on_the_mean() -> None:
    found, expected = _train(), _network()
    optimizer = torch.optim.AdamW(expected.parameters(), lr=1e-2, weight_decay=0.0)
    loss = _loss(expected)
    for step in range(12):
        optimizer.zero_grad()
        loss(step, torch.arange(6)).mean().backward()
        nn.utils.clip_grad_norm_(expected.parameters(), 1.0)
        optimizer.step()
    torch.testing.assert_close(found.weight, expected.weight)


def _blocks() -> nn.ModuleDict:
    """Matrices in numbered layers, and what comes after them."""
    torch.manual_seed(0)
    return nn.ModuleDict(
        {"transformer_blocks": nn.ModuleList([nn.Linear(5, 5)]), "proj_out": nn.Linear(5, 2)}
    )


def _block_loss(network: nn.ModuleDict):
    def loss(step: int, rows: Tensor) -> Tensor:
        x = torch.randn(6, 5, generator=torch.Generator().manual_seed(step))[rows]
        hidden = torch.tanh(network["transformer_blocks"][0](x))
        return (network["proj_out"](hidden) - x[:, :2]).square().sum(1)

    return loss


WITH_MUON = SETTINGS.model_copy(update={"muon_learning_rate": 2e-2})


def test_muon_takes_the_matrices_of_numbered_layers_and_adamw_the_rest() -> None:
    found, expected = _blocks(), _blocks()
    list(fit({"n": found}, _block_loss(found), WITH_MUON, Accelerator(cpu=True)))
    matrix = expected["transformer_blocks"][0].weight
    optimizers = (
        torch.optim.Muon([matrix], lr=2e-2, weight_decay=0.0, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(
            [p for p in expected.parameters() if p is not matrix], lr=1e-2, weight_decay=0.0
        ),
    )
    loss = _block_loss(expected)
    for step in range(12):
        expected.zero_grad()
        loss(step, torch.arange(6)).mean().backward()
        nn.utils.clip_grad_norm_(expected.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
    for name, parameter in found.named_parameters():
        torch.testing.assert_close(parameter, expected.get_parameter(name))


def test_muon_resumes(tmp_path: Path) -> None:
    expected, resumed, network = _blocks(), _blocks(), _blocks()
    list(fit({"n": expected}, _block_loss(expected), WITH_MUON, Accelerator(cpu=True)))
    checkpoint = Checkpoint(tmp_path / "state.pt", "key", every=0.0)
    steps = fit({"n": network}, _block_loss(network), WITH_MUON, Accelerator(cpu=True), checkpoint)
    for _ in range(5):
        next(steps)
    del steps
    rest = fit({"n": resumed}, _block_loss(resumed), WITH_MUON, Accelerator(cpu=True), checkpoint)
    assert [step.index for step in rest] == list(range(WITH_MUON.steps))
    for name, parameter in resumed.named_parameters():
        assert torch.equal(parameter, expected.get_parameter(name))


def test_micro_batches_change_nothing() -> None:
    small = _train(SETTINGS.model_copy(update={"micro_batch_size": 4}))
    torch.testing.assert_close(small.weight, _train().weight)


def test_a_step_that_does_not_fit_is_done_in_smaller_parts() -> None:
    """Memory runs out in the backward pass, after some gradients have been added."""
    network = _network()
    plain = _loss(network)
    tried = []

    def full(grad: Tensor) -> Tensor:
        if tried[-1] > 2:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return grad

    def loss(step: int, rows: Tensor) -> Tensor:
        tried.append(len(rows))
        values = plain(step, rows)
        network.bias.register_hook(full)
        return values

    for _ in fit({"n": network}, loss, SETTINGS, Accelerator(cpu=True)):
        pass
    assert tried[:5] == [6, 3, 1, 1, 1]
    torch.testing.assert_close(network.weight, _train().weight)


def test_another_error_is_not_taken_for_full_memory() -> None:
    network = _network()

    def loss(step: int, rows: Tensor) -> Tensor:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="mat1"):
        next(fit({"n": network}, loss, SETTINGS, Accelerator(cpu=True)))


@pytest.mark.parametrize("most", [0.5, float("inf")])
def test_clipping_clips(most: float) -> None:
    """methods.md 23.10: what the optimiser sees has norm at most max_grad_norm; inf is no limit."""
    network = _network()
    seen = []
    settings = Optimisation(steps=3, batch_size=6, learning_rate=1e-3, max_grad_norm=most)

    def watch(optimizer, arguments, options) -> None:  # type: ignore[no-untyped-def]
        grads = [p.grad.flatten() for group in optimizer.param_groups for p in group["params"]]
        seen.append(torch.cat(grads).norm().item())

    hook = register_optimizer_step_pre_hook(watch)
    try:
        steps = list(fit({"n": network}, _loss(network, 1e6), settings, Accelerator(cpu=True)))
    finally:
        hook.remove()
    assert all(s.grad_norm > 1e4 for s in steps)
    assert seen == pytest.approx([min(s.grad_norm, most) for s in steps], rel=1e-4)


def test_an_interrupted_run_ends_in_the_same_weights(tmp_path: Path) -> None:
    expected, whole = _network(), Accelerator(cpu=True)
    log = list(fit({"n": expected}, _loss(expected), SETTINGS, whole, ema_decay=0.9))
    checkpoint = Checkpoint(tmp_path / "state.pt", "key", every=0.0)
    network = _network()
    steps = fit(
        {"n": network}, _loss(network), SETTINGS, Accelerator(cpu=True), checkpoint, ema_decay=0.9
    )
    for _ in range(5):
        next(steps)
    del steps
    resumed = _network()
    rest = list(
        fit({"n": resumed}, _loss(resumed), SETTINGS, Accelerator(cpu=True), checkpoint, 0.9)
    )
    assert rest == log  # the steps before the interruption too
    assert torch.equal(resumed.weight, expected.weight)


def test_a_checkpoint_of_another_run_is_not_resumed(tmp_path: Path) -> None:
    first = Checkpoint(tmp_path / "state.pt", "one", every=0.0)
    _train(checkpoint=first)
    network = _network()
    other = Checkpoint(first.path, "two", every=0.0)
    steps = list(fit({"n": network}, _loss(network), SETTINGS, Accelerator(cpu=True), other))
    assert steps[0].index == 0


def test_a_diverged_loss_stops_with_a_reason() -> None:
    network = _network()
    with pytest.raises(FloatingPointError, match="learning_rate"):
        list(fit({"n": network}, _loss(network, float("nan")), SETTINGS, Accelerator(cpu=True)))


def test_a_frozen_model_is_refused() -> None:
    network = _network().requires_grad_(False)
    with pytest.raises(ValueError, match="nothing to train"):
        list(fit({"n": network}, _loss(network), SETTINGS, Accelerator(cpu=True)))


class AgainstTheMean(EachAlone):
    """Examples in pairs; what they are compared with is a mean over all of the step."""

    def __init__(self, network: nn.Linear, memory: int = 6) -> None:
        self.network = network
        self.memory = memory
        self.tried: list[tuple[str, list[int]]] = []
        self.step = 0
        self.group = 2

    def _outputs(self, name: str, rows: Tensor) -> Tensor:
        self.tried.append((name, rows.tolist()))
        if len(rows) > self.memory:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return self.network(self._inputs(rows))

    def survey(self, rows: Tensor) -> Tensor:
        outputs = self._outputs("survey", rows)
        assert not outputs.requires_grad
        return outputs

    def losses(self, rows: Tensor, whole: Tensor) -> Losses:
        assert whole.shape == (6, 2)
        assert torch.allclose(whole[rows], self.network(self._inputs(rows)), atol=1e-6)
        outputs = self._outputs("loss", rows)
        pairs = (outputs - outputs.view(-1, 2, 2).flip(1).reshape(-1, 2)).square()
        return Losses((pairs + (outputs - whole.mean(0) - 1).square()).sum(1))

    def _inputs(self, rows: Tensor) -> Tensor:
        return torch.randn(6, 5, generator=torch.Generator().manual_seed(self.step))[rows]


def _against_the_mean(micro: int | None = None, memory: int = 6) -> AgainstTheMean:
    task = AgainstTheMean(_network(), memory)
    settings = SETTINGS.model_copy(update={"micro_batch_size": micro})
    list(train({"n": task.network}, task, settings, Accelerator(cpu=True)))
    return task


@pytest.mark.parametrize(("micro", "memory"), [(4, 6), (3, 6), (None, 2), (None, 4)])
def test_parts_keep_groups_and_what_is_common_to_the_step(micro: int | None, memory: int) -> None:
    whole, parts = _against_the_mean(), _against_the_mean(micro, memory)
    torch.testing.assert_close(parts.network.weight, whole.network.weight)
    assert all(rows[0] % 2 == 0 and len(rows) % 2 == 0 for _, rows in parts.tried)


def test_memory_that_runs_out_in_a_loss_does_not_survey_again() -> None:
    task = _against_the_mean(memory=2)
    first = [(name, len(rows)) for name, rows in task.tried[:7]]
    assert first == [("survey", 6), *[("survey", 2)] * 3, *[("loss", 2)] * 3]
    survey = [rows for name, rows in task.tried if name == "survey" and len(rows) == 2]
    assert len(survey) == 3 * SETTINGS.steps


def test_a_group_that_does_not_fit_is_an_error() -> None:
    with pytest.raises(torch.OutOfMemoryError):
        _against_the_mean(memory=1)


def _on_two_processes(rank: int, folder: str, port: int) -> None:
    os.environ |= {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }
    task = AgainstTheMean(_network())
    list(train({"n": task.network}, task, SETTINGS, Accelerator(cpu=True)))
    torch.save(task.network.weight.detach(), Path(folder) / f"{rank}.pt")
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_two_processes_train_as_one(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    torch.multiprocessing.spawn(_on_two_processes, (str(tmp_path), port), nprocs=2)
    found = [torch.load(tmp_path / f"{rank}.pt") for rank in (0, 1)]
    assert torch.equal(*found)
    torch.testing.assert_close(found[0], _against_the_mean().network.weight)
