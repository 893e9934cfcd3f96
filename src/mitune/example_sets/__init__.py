"""Examples from files: pictures that people or programs have compared or labelled.

One layout a file; the union is the registry. What is read is one table, whatever the layout
(`index.py`), and what an objective trains on is taken from it (`rows.py`), so that one set of pairs
serves preference losses, SFT on winners, losses on labels and on negatives.
"""

from typing import Annotated, TypeAlias

from pydantic import Field

from mitune.example_sets.base import Example, ExampleError, ExampleSource, Picture
from mitune.example_sets.labelled_pictures import LabelledPictures
from mitune.example_sets.pick_a_pic import PickAPic
from mitune.example_sets.picture_pairs import PicturePairs
from mitune.example_sets.style_pairs import StylePairs

__all__ = [
    "Example",
    "ExampleError",
    "ExampleSource",
    "LabelledPictures",
    "PickAPic",
    "Picture",
    "PicturePairs",
    "SourceConfig",
    "StylePairs",
]

SourceConfig: TypeAlias = Annotated[
    PickAPic | PicturePairs | LabelledPictures | StylePairs, Field(discriminator="kind")
]
