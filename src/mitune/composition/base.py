"""What strategies share: the first k of an order within each prompt."""

import pandas as pd

from mitune.errors import UserError
from mitune.ranking import check_scores, order


def best(candidates: pd.DataFrame, score: str, k: int, descending: bool) -> pd.DataFrame:
    """The first `k` of each prompt by `score`, with `rank`. Raises UserError for k > M."""
    check_scores(candidates, score)
    sizes = candidates.groupby("prompt_id", sort=False).size()
    if len(sizes) and sizes.min() < k:
        prompt = sizes.idxmin()
        raise UserError(f"k: {k} exceeds the {sizes.min()} candidates of prompt {prompt!r}")
    ordered = order(candidates, score, descending)
    return ordered[ordered["rank"] <= k].reset_index(drop=True)
