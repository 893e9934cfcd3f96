"""The record of an estimate of information: its terms, so that it can be replayed."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, eq=False)
class Information:
    """Increments (B, n) in nats and the log-SNR (n,) each was taken at; their sum is the score.

    `independent` marks Monte-Carlo draws, one column per stratum of log-SNR in ascending order;
    the steps of a path are not.
    """

    increments: Tensor
    log_snr: Tensor
    independent: bool = False

    @property
    def score(self) -> Tensor:
        """(B,) nats."""
        return self.increments.sum(dim=1)

    @property
    def standard_error(self) -> Tensor:
        """Monte-Carlo standard error of the score, (B,) nats.

        From successive differences, sqrt(n / (2 (n-1)) sum (x_{k+1} - x_k)^2): what varies smoothly
        from stratum to stratum is not error. Of one image alone: candidates that share their noise
        differ by less. Raises ValueError on a path or with fewer than two draws.
        """
        n = self.increments.shape[1]
        if not self.independent or n < 2:
            raise ValueError("standard_error: needs two or more independent draws")
        squares = (self.increments.diff(dim=1) ** 2).sum(dim=1)
        return (squares * n / (2 * (n - 1))).sqrt()
