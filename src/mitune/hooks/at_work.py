"""One run of a campaign at a time: two would write over each other's files."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Generator
from datetime import datetime
from typing import IO, Any

import click
from kedro.framework.hooks import hook_impl
from kedro.io import CatalogProtocol

from mitune.hooks.lineage import RECORDS

_LOCK = "run.lock"


class AtWorkHooks:
    """A lock of the operating system, which goes with its process, however that ends."""

    def __init__(self) -> None:
        self._held: IO[str] | None = None

    @hook_impl(wrapper=True)
    def before_pipeline_run(self, catalog: CatalogProtocol) -> Generator[None, Any, Any]:
        """Take the campaign, and give it back if anyone refuses the run.

        Raises ClickException, naming who has it.
        """
        self._release()
        if RECORDS in catalog:
            self._take(catalog)
        try:
            return (yield)
        except BaseException:
            self._release()
            raise

    def _take(self, catalog: CatalogProtocol) -> None:
        file = catalog.load(RECORDS).parent / _LOCK
        lock = file.open("a+")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.seek(0)
            by = lock.read().strip()
            lock.close()
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                return  # a file system without locks
            raise click.ClickException(
                f"{file}: another run is at work on this campaign ({by}); wait for it, or give "
                "--params=campaign=NAME"
            ) from None
        lock.truncate(0)
        lock.write(f"process {os.getpid()} since {datetime.now().isoformat(' ', 'seconds')}\n")
        lock.flush()
        self._held = lock

    @hook_impl(trylast=True)
    def after_pipeline_run(self) -> None:
        """Give it back."""
        self._release()

    @hook_impl(tryfirst=True)
    def on_pipeline_error(self) -> None:
        """Give it back."""
        self._release()

    def _release(self) -> None:
        if self._held is not None:
            self._held.close()
        self._held = None
