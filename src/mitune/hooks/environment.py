"""Process settings that must precede the first node, and the first import."""

from __future__ import annotations

import logging
import os
import warnings
from typing import Any

from kedro.framework.hooks import hook_impl

logger = logging.getLogger(__name__)
# Read when the libraries are imported, which may be before any hook runs.
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("DIFFUSERS_VERBOSITY", "error")
# Rounds are namespaces: their names have dots on purpose.
warnings.filterwarnings("ignore", message="One or more dataset names contain")


# What launchers set for accelerate: it would divide gradients or change their precision, whatever
# the parameters say. The processes of a run are started by its nodes, which set their own.
_FOREIGN = ("ACCELERATE_", "FSDP_", "DEEPSPEED_")
_LAUNCHED = {"RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"}


class EnvironmentHooks:
    """Quiet the libraries: a run prints what it does and what is wrong, nothing else."""

    @hook_impl
    def after_context_created(self, context: Any) -> None:
        """Applied once per session."""
        foreign = sorted(n for n in os.environ if n.startswith(_FOREIGN) or n in _LAUNCHED)
        for name in foreign:
            del os.environ[name]
        if foreign:
            logger.warning(
                "%s: not heeded; finetune and resources say how to train", ", ".join(foreign)
            )
        logging.captureWarnings(True)
        warnings.filterwarnings("ignore", category=FutureWarning)
        warnings.filterwarnings("ignore", category=DeprecationWarning)
