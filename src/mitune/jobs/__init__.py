"""One way to work through jobs, on one process or several.

A job is a fixed piece of work: what it holds depends on what is asked for, never on what is there
already, nor on who works. So its bits are the same in any order, on any executor and after any
interruption, at equal numbers of threads.

Executors that need a library of their own are in modules of their own: `ray`, `slurm`.
"""

from mitune.jobs.automatic import Automatic
from mitune.jobs.base import Executor, Failed, JobError, Result, Work, run
from mitune.jobs.pool import Pool
from mitune.jobs.processes import Processes
from mitune.jobs.ranks import Rank, alone, together
from mitune.jobs.serial import Serial
from mitune.jobs.worker import Worker

__all__ = [
    "Automatic",
    "Executor",
    "Failed",
    "JobError",
    "Pool",
    "Processes",
    "Rank",
    "Result",
    "Serial",
    "Work",
    "Worker",
    "alone",
    "run",
    "together",
]
