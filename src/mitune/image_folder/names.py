"""Names of files in a folder of pictures, and which prompts they can hold."""

from __future__ import annotations

from collections.abc import Iterable

from mitune.errors import UserError

MANIFEST = "manifest.csv"
SAMPLES = "samples"
_LONGEST_NAME = 255  # bytes, of most file systems


class ImageFolderError(UserError):
    """A folder cannot be read or written; the message names the file and the fix."""


def check_prompts(prompts: Iterable[str]) -> None:
    """Refuse what T2I-CompBench's scripts could not read back from a file's name.

    A safe name with the prompt in the manifest would do for us, but they would score the picture
    against the name and say nothing.

    Raises
    ------
    ImageFolderError
        Naming the prompt.
    """
    for prompt in prompts:
        for sign in "/_":
            if sign in prompt:
                raise ImageFolderError(
                    f"{prompt!r}: has a {sign!r}, and T2I-CompBench keeps prompts in file names, "
                    "where it cannot stand; leave this prompt out"
                )
        if len(file_name(prompt, 0).encode()) > _LONGEST_NAME:
            raise ImageFolderError(f"{prompt!r}: too long for a file name; leave this prompt out")


def file_name(prompt: str, number: int) -> str:
    """As T2I-CompBench names it."""
    return f"{prompt}_{number:06}.png"
