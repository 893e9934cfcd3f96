"""What every estimator is made of: predictions in at least float32, summed over the latent."""

import torch
from torch import Tensor

from mitune.diffusion.prediction import Prediction


def eps_of(prediction: Prediction) -> Tensor:
    """(B, ...), in float32 or better."""
    eps = prediction.eps
    return eps.to(torch.promote_types(eps.dtype, torch.float32))


def flow_of(prediction: Prediction) -> Tensor:
    """(B, ...), in float32 or better."""
    flow = prediction.flow
    return flow.to(torch.promote_types(flow.dtype, torch.float32))


def dot(a: Tensor, b: Tensor) -> Tensor:
    """(B,): products summed over all but the first dimension."""
    return (a * b).flatten(1).sum(dim=1)
