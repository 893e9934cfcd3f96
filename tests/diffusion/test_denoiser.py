"""Conditions are batches."""

import pytest
import torch

from mitune.diffusion.denoiser import Condition


def batch(n):
    return Condition({"text": torch.arange(2.0 * n).view(n, 2), "mask": torch.arange(n) > 0})


def test_condition_is_a_batch():
    condition = batch(3)
    assert len(condition) == 3
    assert torch.equal(condition[1:].tensors["text"], condition.tensors["text"][1:])
    assert torch.equal(condition[[2, 0]].tensors["text"], condition.tensors["text"][[2, 0]])
    mask = torch.tensor([True, False, True])
    assert len(condition[mask]) == 2
    joined = Condition.cat([condition, condition[:1]])
    assert joined.tensors["mask"].tolist() == [False, True, True, False]
    assert len(condition[:1].expand(5)) == 5
    half = condition.to(dtype=torch.float16)
    assert half.tensors["text"].dtype == torch.float16
    assert half.tensors["mask"].dtype == torch.bool


def test_condition_errors():
    with pytest.raises(ValueError, match="batch size"):
        Condition({"a": torch.ones(2), "b": torch.ones(3)})
    with pytest.raises(ValueError, match="batch size"):
        Condition({})
    with pytest.raises(ValueError, match="cannot expand a batch of 2 to 3"):
        batch(2).expand(3)
    with pytest.raises(ValueError, match="different tensors"):
        Condition.cat([batch(1), Condition({"text": torch.ones(1, 2)})])
    with pytest.raises(TypeError, match="1:2"):
        batch(2)[1]
