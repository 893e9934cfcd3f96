"""The little blur that Attend-and-Excite and S-CFG put on maps."""

import torch
from torch import Tensor
from torch.nn import functional

_KERNEL_SIZE, _SIGMA = 3, 0.5


def smooth(maps: Tensor) -> Tensor:
    """Maps (B, C, h, w), h and w at least 2, each blurred alone; the edge is mirrored.

    The kernel of both released codes, 3 x 3: exp(-(x / (2 sigma))^2) with sigma = 0.5, which is a
    Gaussian of standard deviation sqrt(2) sigma.
    """
    offsets = torch.arange(_KERNEL_SIZE, device=maps.device) - _KERNEL_SIZE // 2
    line = torch.exp(-((offsets / (2 * _SIGMA)) ** 2)).to(maps.dtype)
    kernel = torch.outer(line, line) / line.sum() ** 2
    padded = functional.pad(maps, (1, 1, 1, 1), mode="reflect").flatten(0, 1)[:, None]
    return functional.conv2d(padded, kernel[None, None]).view_as(maps)
