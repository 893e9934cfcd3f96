import numpy as np
import pandas as pd

from mitune.pipelines.rank.nodes import best_first


def test_pictures_are_ordered_with_their_scores() -> None:
    table = pd.DataFrame(
        {"prompt_id": "p", "image_index": range(4), "information": [0.5, 3.0, -1.0, 2.0]}
    )
    pictures = np.arange(4, dtype=np.uint8).reshape(4, 1, 1, 1).repeat(3, axis=3)
    ranked, shown = best_first(table, pictures, "information")
    assert list(ranked["image_index"]) == [1, 3, 0, 2]
    assert list(shown[:, 0, 0, 0]) == [1, 3, 0, 2]
