"""The contract: jobs and work in, results out as they are done."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

from mitune.errors import UserError
from mitune.jobs.worker import Worker

logger = logging.getLogger(__name__)
_GIVE_UP = 3  # failures before anything was done: the rest will not do better
_NAMED = 3  # failures that the last line quotes

J = TypeVar("J")
R = TypeVar("R")
Work: TypeAlias = Callable[[J, Worker], Iterable[R]]


class JobError(UserError):
    """Some jobs failed, after all others were done; the message says which and why."""


@dataclass(frozen=True)
class Result(Generic[J, R]):
    """Something that a job has made; one job may make several."""

    job: J
    value: R


@dataclass(frozen=True)
class Failed(Generic[J]):
    """Why a job was not done, or not whole. `trace` is empty if the user can mend it."""

    job: J
    message: str
    trace: str = ""


class Executor(Protocol):
    """Who works: `Serial`, `Processes`, `Automatic`; `Ray` and `Slurm` on other machines too.

    Where several work, a job whose worker dies is given to another one, once; what it had handed
    over by then is not handed over twice.
    """

    def results(self, jobs: Sequence[J], work: Work[J, R]) -> Iterator[Result[J, R] | Failed[J]]:
        """All that `work` makes of `jobs`, as it comes; a job that fails does not stop the rest."""
        ...


def run(
    jobs: Iterable[J],
    work: Work[J, R],
    finished: Callable[[J], bool],
    executor: Executor,
    size: Callable[[J], float] = lambda job: 1,
) -> Iterator[Result[J, R]]:
    """Work through the jobs that are not `finished`.

    Parameters
    ----------
    jobs
        Each with a `str` that a user knows it by. They and `work` must be picklable.
    work
        Called with a job and the worker it has come to; yields what it makes.
    finished
        Whether there is nothing to do for a job.
    size
        What a job costs, in any unit: large ones come first, so that none is left to one worker
        at the end while the others idle.

    Raises
    ------
    JobError
        When the rest is done, naming the jobs that failed; at once if the first ones all fail.
    """
    todo = [job for job in jobs if not finished(job)]
    todo.sort(key=size, reverse=True)  # stable: equal ones stay in their order
    failures: list[Failed[J]] = []
    any_done = False
    for found in executor.results(todo, work) if todo else ():
        if isinstance(found, Result):
            any_done = True
            yield found
            continue
        failures.append(found)
        if found.trace:
            logger.error("%s failed:\n%s", found.job, found.trace)
        if not any_done and len(failures) == _GIVE_UP:
            break
    if failures:
        raise JobError(_summary(failures, len(todo)))


def failure(job: Any, error: Exception) -> Failed[Any]:
    """What is reported of an exception: text alone, since not every exception can be pickled."""
    if isinstance(error, UserError):
        return Failed(job, str(error))
    return Failed(job, f"{job}: {type(error).__name__}: {error}", traceback.format_exc())


def _summary(failures: Sequence[Failed[Any]], jobs: int) -> str:
    reasons = list(dict.fromkeys(" ".join(failed.message.split()) for failed in failures))
    more = f"; and {len(reasons) - _NAMED} more" if len(reasons) > _NAMED else ""
    count = f" ({len(failures)} of {jobs} jobs failed)" if jobs > 1 else ""
    return "; ".join(reasons[:_NAMED]) + more + count
