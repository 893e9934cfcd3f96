"""A job on its way to a worker in another process, and what comes back."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mitune.jobs.base import Failed, Work, failure
from mitune.jobs.worker import Worker


def message(work: Work[Any, Any], job: Any) -> bytes:
    """The job, what to do with it, and in which folder."""
    return pickle.dumps((str(Path.cwd()), str(job), pickle.dumps((work, job))))


def do(sent: bytes, worker: Worker, say: Callable[[Any], None]) -> Failed[Any] | None:
    """Work on a message where it has come to; `say` is called with all that is made."""
    folder, name, content = pickle.loads(sent)
    try:
        if Path.cwd() != Path(folder):
            os.chdir(folder)
        work, job = pickle.loads(content)
        for value in work(job, worker):
            say(value)
    except Exception as error:
        return failure(name, error)
    return None


def answer(sent: bytes, worker: Worker) -> bytes:
    """All that is made, at once: for `read`. What cannot be pickled fails its job alone."""
    made: list[bytes] = []
    failed = do(sent, worker, lambda value: made.append(pickle.dumps(value)))
    return pickle.dumps((made, failed))


def read(answered: bytes) -> tuple[list[Any], Failed[Any] | None]:
    """What a job has made, and why it is not whole, if it is not."""
    made, failed = pickle.loads(answered)
    return [pickle.loads(value) for value in made], failed


def close(job: None, worker: Worker) -> tuple[()]:
    """Work that gives back what the worker keeps."""
    worker.close()
    return ()
