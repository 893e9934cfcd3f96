"""What to do when memory runs out: less at once."""

from __future__ import annotations

import logging

from accelerate.utils.memory import should_reduce_batch_size

logger = logging.getLogger(__name__)


def halved(size: int, error: RuntimeError) -> int:
    """Half of `size`, if `error` says that memory ran out; results do not depend on it.

    Raises
    ------
    RuntimeError
        `error` itself, if it says anything else or `size` is 1 already.
    """
    if size == 1 or not should_reduce_batch_size(error):
        raise error
    logger.warning("out of memory with %d at once; going on with %d", size, size // 2)
    return size // 2
