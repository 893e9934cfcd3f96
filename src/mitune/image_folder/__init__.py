"""A folder of pictures with their prompts: T2I-CompBench's file layout, or a manifest.

Layout (Huang et al. 2023): `samples/{prompt}_{six digits}.png`, digits counting from 0 without a
gap over the whole folder; `samples/` may be left out. The official scripts take what is before
the *first* underscore for the prompt. Here it is what is before the last one and digits, so that
a prompt with an underscore is read whole; what is written is what both read alike.

A `manifest.csv` in the folder decides instead of file names: columns `file` (relative to the
folder) and `prompt`, and if need be `category`, `prompt_id`, `image_index`; others are ignored.
"""

from mitune.image_folder.names import ImageFolderError, check_prompts
from mitune.image_folder.pictures import alike, read_pictures
from mitune.image_folder.reading import read_folder
from mitune.image_folder.writing import write_folder

__all__ = [
    "ImageFolderError",
    "alike",
    "check_prompts",
    "read_folder",
    "read_pictures",
    "write_folder",
]
