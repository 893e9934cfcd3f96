"""Point-wise mutual information between an image and its prompt, in nats.

Every estimator is a weighted sum over noise levels of one number per image and level,

    KL(p_c || p) = 1/2 int E ||eps_c - eps_u||^2 dlambda          (I-MMSE; lambda = log SNR)

and returns the terms, not only the sum, so that windows, weights and pruning can be replayed.
`PathScore` reads them off the sampler's own trajectory at no extra evaluation; `ForwardScore` and
`InformationDecomposition` noise the finished image anew. Only the last one is log p(x|c) / p(x).
All differences are between UNGUIDED predictions, in at least float32, summed over the latent.
"""

from typing import Annotated, TypeAlias

from pydantic import Field

from mitune.estimators.drawn import information, information_of_groups
from mitune.estimators.forward_score import ForwardScore
from mitune.estimators.information import Information
from mitune.estimators.information_decomposition import InformationDecomposition
from mitune.estimators.path_score import PathScore

__all__ = [
    "DrawEstimator",
    "Estimator",
    "ForwardScore",
    "Information",
    "InformationDecomposition",
    "PathScore",
    "information",
    "information_of_groups",
]

DrawEstimator: TypeAlias = ForwardScore | InformationDecomposition
Estimator: TypeAlias = Annotated[
    PathScore | ForwardScore | InformationDecomposition, Field(discriminator="kind")
]
