"""MINDE: mutual information from the scores of a diffusion (Franzese et al. 2024).

arXiv:2310.09031.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, PositiveInt
from torch import Tensor

from mitune.diffusion.denoiser import Condition
from mitune.diffusion.noise import DiscretePath, add_noise
from mitune.estimators import ForwardScore
from mitune.mi_benchmark.base import Samples, tensors
from mitune.mi_benchmark.denoising import (
    BLANK,
    CLEAN,
    NOISY,
    JointDenoiser,
    PairNetwork,
    SideDenoiser,
    mean_information,
    states_of,
)
from mitune.mi_benchmark.training import Training, train

_GRID = 1000


class MINDE(BaseModel):
    """MINDE-c compares X given Y with X, MINDE-j each side given the other with both jointly.

    beta(t) = 0.1 + 19.9 t on a grid of 1000. The paper's importance sampling, t with density
    beta / (1 - abar), is the uniform density over log-SNR. One network learns all problems;
    departure: they take equal parts of every batch, not one problem a batch.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["minde"] = "minde"
    training: Training = Training()
    draws: PositiveInt = 32
    log_snr: tuple[float, float] = (-10.0, 9.0)  # up to t = 1e-3

    @property
    def names(self) -> tuple[str, ...]:
        """Of its estimates."""
        return ("minde_c", "minde_j")

    def estimate(self, samples: Samples, seed: int) -> Mapping[str, float]:
        """`minde_c` and `minde_j`."""
        torch.manual_seed(seed)
        x, y, x_test, y_test = tensors(samples)
        network = PairNetwork(x.shape[1], y.shape[1], self.training.hidden)
        betas = torch.linspace(0.1, 20.0, _GRID, dtype=torch.float64) / _GRID
        path = DiscretePath((1 - betas).cumprod(0))

        def loss(x: Tensor, y: Tensor, generator: torch.Generator) -> Tensor:
            t = torch.randint(_GRID, (len(x),), generator=generator)
            noises = [torch.randn(side.shape, generator=generator) for side in (x, y)]
            x_t, y_t = (add_noise(path, z, e, t) for z, e in zip((x, y), noises, strict=True))
            problems = (
                (x_t, y_t, (NOISY, NOISY)),
                (x_t, y, (NOISY, CLEAN)),
                (x, y_t, (CLEAN, NOISY)),
                (x_t, y, (NOISY, BLANK)),
            )
            values = []
            for part, (a, b, states) in zip(torch.arange(len(x)).chunk(4), problems, strict=True):
                predictions = network(
                    a[part], b[part], states_of(*states, len(part)), t[part] / _GRID
                )
                errors = [
                    (prediction - noise[part]).square().sum(1)
                    for prediction, noise, state in zip(predictions, noises, states, strict=True)
                    if state == NOISY
                ]
                values.append(torch.stack(errors).sum(0))
            return torch.cat(values)

        train(network, loss, (x, y), self.training, seed)
        plan = ForwardScore(draws=self.draws, log_snr=self.log_snr)
        given = {"x": x_test, "y": y_test, "given": torch.ones(len(x_test))}
        condition = Condition(given)
        side = SideDenoiser(network, path, "epsilon")
        joint = JointDenoiser(network, path, "epsilon")
        both = torch.cat([x_test, y_test], dim=1)
        (c,) = mean_information(side, x_test, condition, [plan], seed)
        (j,) = mean_information(joint, both, condition, [plan], seed)
        return {"minde_c": c, "minde_j": j}
