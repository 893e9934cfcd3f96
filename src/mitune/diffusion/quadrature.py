"""The quadrature that turns squared differences of predictions into nats."""

import torch
from torch import Tensor


def trapezoid_weights(log_snr: Tensor) -> Tensor:
    """Half the log-SNR step of a grid: w_i = 1/2 * 1/2 (|l_{i-1} - l_i| + |l_i - l_{i+1}|).

    One-sided at the ends. `log_snr` is (n,); so is the result, float64 on the CPU. A sum of
    w_i ||eps_c - eps_u||^2 is then 1/2 int ||eps_c - eps_u||^2 dlambda by the trapezoid rule: nats
    (I-MMSE; methods 1.2). A node at infinite log-SNR gets weight 0 and is nobody's neighbour: the
    difference vanishes at pure noise, and the tail beyond the next node is not covered.

    Raises ValueError for a grid that is not one-dimensional or has fewer than two finite nodes.
    """
    log_snr = log_snr.to("cpu", torch.float64)
    finite = log_snr.isfinite()
    if log_snr.ndim != 1 or int(finite.sum()) < 2:
        raise ValueError("times: information weights need a 1-d grid with two finite log-SNRs")
    steps = log_snr[finite].diff().abs()
    weights = torch.zeros_like(log_snr)
    edge = steps.new_zeros(1)
    weights[finite] = (torch.cat([edge, steps]) + torch.cat([steps, edge])) / 4
    return weights
