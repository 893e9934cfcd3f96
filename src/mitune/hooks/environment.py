"""Process settings that must precede the first node, and the first import."""

from __future__ import annotations

import logging
import os
import warnings
from typing import Any

from kedro.framework.hooks import hook_impl

# Read when the libraries are imported, which may be before any hook runs.
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("DIFFUSERS_VERBOSITY", "error")
# Rounds are namespaces: their names have dots on purpose.
warnings.filterwarnings("ignore", message="One or more dataset names contain")


class EnvironmentHooks:
    """Quiet the libraries: a run prints what it does and what is wrong, nothing else."""

    @hook_impl
    def after_context_created(self, context: Any) -> None:
        """Applied once per session."""
        logging.captureWarnings(True)
        warnings.filterwarnings("ignore", category=FutureWarning)
        warnings.filterwarnings("ignore", category=DeprecationWarning)
