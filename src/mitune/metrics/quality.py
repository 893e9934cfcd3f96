"""Image quality: a distance of a model's pictures to reference pictures, seen by an embedder."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from mitune.metrics.distances import Distance, DistanceConfig
from mitune.metrics.embedders import EmbedderConfig
from mitune.metrics.features import Features, Moments, check_provenance


class Quality(BaseModel):
    """A pair with a name of its own, or any other.

    FID is frechet on inception, FD-DINO frechet on dino (ViT-L/14), KID kid on inception, CMMD
    cmmd on clip (ViT-L/14 at 336). Other pairs are not to be called by these names.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    embedder: EmbedderConfig
    distance: DistanceConfig

    def compare(self, model: Features | Moments, reference: Features | Moments) -> Distance:
        """Distance of two sets.

        Raises
        ------
        MetricError
            If one of them was made with another embedder than this one.
        """
        for what, statistics in (("pictures", model), ("reference", reference)):
            check_provenance(statistics, self.embedder.provenance, what)
        return self.distance.compare(model, reference)
