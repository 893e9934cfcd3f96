"""Heavy libraries, imported when they are first used: `libraries.diffusers.AutoencoderKL`.

diffusers and peft take longer to import than all else together, and most commands need neither;
choix brings all of scipy.stats, and spaCy is an extra. A lazy loader cannot stand in for diffusers
and transformers: both replace their own module as they load.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

_NAMES = {"choix", "diffusers", "peft", "spacy", "torch", "transformers"}


def __getattr__(name: str) -> Any:
    if name not in _NAMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(name)
    # One bar per stage is its caller's; those of loading weights are noise.
    for loud in {"diffusers", "transformers"} & sys.modules.keys():
        sys.modules[loud].utils.logging.disable_progress_bar()
    globals()[name] = module  # asked for once
    return module
