"""RFMI: mutual information from the velocities of a rectified flow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, PositiveInt
from torch import Tensor

from mitune.diffusion.denoiser import Condition
from mitune.diffusion.noise import RectifiedFlowPath
from mitune.estimators import ForwardScore
from mitune.estimators.noise_levels import FlowLevels
from mitune.mi_benchmark.base import Samples, tensors
from mitune.mi_benchmark.denoising import (
    BLANK,
    CLEAN,
    NOISY,
    PairNetwork,
    SideDenoiser,
    mean_information,
    states_of,
)
from mitune.mi_benchmark.training import Training, train


class RFMI(BaseModel):
    """Eq. 11 of RFMI, `rfmi_inner`, and its squared form, `rfmi`; sampled by Prop. 3.3.

    One flow of X, conditioned on Y or not. The two agree on average over (X, Y) for exact
    velocities, at every t; what the network gets wrong along the unconditional velocity reaches eq.
    11 alone, to the first order. Departure: nothing beyond t = 0.95 (log-SNR 6), the paper's
    t_epsilon: hardly any information is there, while t / (1 - t) multiplies what the network gets
    wrong.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["rfmi"] = "rfmi"
    training: Training = Training()
    draws: PositiveInt = 32
    log_snr: tuple[float, float] = (-12.0, 6.0)

    @property
    def names(self) -> tuple[str, ...]:
        """Of its estimates."""
        return ("rfmi", "rfmi_inner")

    def estimate(self, samples: Samples, seed: int) -> Mapping[str, float]:
        """`rfmi` and `rfmi_inner`."""
        torch.manual_seed(seed)
        x, y, x_test, y_test = tensors(samples)
        network = PairNetwork(x.shape[1], y.shape[1], self.training.hidden)

        def loss(x: Tensor, y: Tensor, generator: torch.Generator) -> Tensor:
            s = torch.rand(len(x), generator=generator)
            noise = torch.randn(x.shape, generator=generator)
            z = (1 - s[:, None]) * x + s[:, None] * noise
            half = len(x) // 2
            with_y, _ = network(z[:half], y[:half], states_of(NOISY, CLEAN, half), s[:half])
            blank = states_of(NOISY, BLANK, len(x) - half)
            alone, _ = network(z[half:], y[half:], blank, s[half:])
            return (torch.cat([with_y, alone]) - (noise - x)).square().sum(1)

        train(network, loss, (x, y), self.training, seed)
        denoiser = SideDenoiser(network, RectifiedFlowPath(), "flow")
        condition = Condition({"y": y_test, "given": torch.ones(len(y_test))})
        squared = ForwardScore(draws=self.draws, log_snr=self.log_snr, levels=FlowLevels())
        inner = squared.model_copy(update={"form": "inner"})
        means = mean_information(denoiser, x_test, condition, [squared, inner], seed)
        return dict(zip(self.names, means, strict=True))
