"""Where a finished image is noised anew: strata of log-SNR, and noise that candidates share."""

from collections.abc import Iterator, Sequence

import torch
from pydantic import BaseModel, ConfigDict, PositiveInt, model_validator
from torch import Tensor

from mitune.diffusion.noise import NoisePath
from mitune.estimators.noise_levels import NoiseLevels, UniformLevels


class Renoised(BaseModel):
    """How a finished image is noised anew: shared by the estimators that do so.

    `draws` noises, stratified over the `log_snr` window (clipped to what the path has) by the
    density `levels`;
    `antithetic` draws come as pairs +eps, -eps at one noise level and become one increment. What
    tells candidates apart is mostly odd in eps (x . eps), so pairs make the ranking within a prompt
    far more precise (4-25 times on exact Gaussians at equal cost), while the level that candidates
    share, met in half as many strata, becomes slightly less so. Two network evaluations per draw.

    Raises a validation error for an empty window, or an odd number of antithetic draws.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    draws: PositiveInt = 24
    log_snr: tuple[float, float] = (-5.4, 1.5)
    antithetic: bool = False
    levels: NoiseLevels = UniformLevels()

    @model_validator(mode="after")
    def _is_drawable(self) -> "Renoised":
        if not self.log_snr[0] < self.log_snr[1]:
            raise ValueError(f"log_snr: low must be below high, got {self.log_snr}")
        if self.antithetic and self.draws % 2:
            raise ValueError(f"draws: antithetic draws come in pairs, got {self.draws}")
        return self

    @property
    def shared(self) -> tuple[object, ...]:
        """Estimators that agree on this can share their draws."""
        return (self.draws, self.log_snr, self.antithetic, self.levels)

    @property
    def evaluations_per_image(self) -> int:
        """Network evaluations on top of sampling."""
        return 2 * self.draws

    @property
    def strata(self) -> int:
        """How many noise levels are met: increments per image."""
        return self.draws // 2 if self.antithetic else self.draws

    def check(self, path: NoisePath) -> tuple[float, float]:
        """The window as far as `path` has it. Raises ValueError if it has nothing of it."""
        lowest, highest = path.log_snr_range
        low, high = max(self.log_snr[0], lowest), min(self.log_snr[1], highest)
        if not low < high:
            raise ValueError(
                f"log_snr: the path covers {lowest:.2f} to {highest:.2f}, not "
                f"{list(self.log_snr)}; move the window"
            )
        return low, high

    def plan(self, path: NoisePath, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """(log-SNR, weight in nats) of each stratum, ascending, (K,) float64."""
        low, high = self.check(path)
        jitter = torch.rand(
            self.strata, generator=generator, device=generator.device, dtype=torch.float64
        ).cpu()
        u = (torch.arange(self.strata) + jitter) / self.strata
        log_snr, weight = self.levels.at(u, low, high)
        return log_snr, weight / self.strata

    def noises(self, shape: Sequence[int], generator: torch.Generator) -> Iterator[Tensor]:
        """One noise per draw, `shape` being that of one latent: all candidates share it."""
        for _ in range(self.strata):
            noise = torch.randn(*shape, generator=generator, device=generator.device)
            yield noise
            if self.antithetic:
                yield -noise
