import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch

from mitune.errors import UserError
from mitune.jobs import Automatic, Executor, JobError, Pool, Processes, Serial, run, together
from tests.conftest import ROOT
from tests.jobs import work
from tests.jobs.work import BUG, DEADLY, DEADLY_ONCE, HALF, USERS, Square, cpu, matrix

if TYPE_CHECKING:
    from mitune.jobs.slurm import Slurm

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    pool = Pool(["cpu", "cpu"], 1, ["tests.jobs.work"])
    yield pool
    pool.end()


@pytest.fixture(scope="module")
def cluster() -> Iterator[Executor]:
    """A Ray cluster of this machine, with room for two."""
    ray = pytest.importorskip("ray")
    from mitune.jobs.ray import Actors, Ray

    ray.shutdown()  # another test's
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield Ray(Actors(None, 1, cpu, gpus=True))
    ray.shutdown()


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> "Slurm":
    """Two tasks, which submitit starts on this machine."""
    pytest.importorskip("submitit")
    from mitune.jobs.slurm import Slurm

    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return Slurm(tmp_path / "slurm", 2, 1, cpu, {"timeout_min": 5})


@pytest.fixture(params=["serial", "processes", "automatic", "cluster"])
def executor(request: pytest.FixtureRequest, pool: Pool) -> Executor:
    if request.param == "cluster":
        return request.getfixturevalue("cluster")  # type: ignore[no-any-return]
    serial, processes = Serial(CPU, 1), Processes(pool)
    return {
        "serial": serial,
        "processes": processes,
        "automatic": Automatic(serial, processes),
    }[request.param]


@pytest.fixture(params=["pool", "cluster", "slurm"])
def several(request: pytest.FixtureRequest) -> Executor:
    """Executors whose workers can die."""
    found = request.getfixturevalue(request.param)
    return Processes(found) if request.param == "pool" else found


def values(jobs: list[int], square: Square, executor: Executor) -> dict[int, int]:
    return {r.job: r.value for r in run(jobs, square, lambda job: job == 3, executor)}


def test_what_is_not_finished_is_done_once(executor: Executor, tmp_path: Path) -> None:
    found = values(list(range(8)), Square(tmp_path / "log"), executor)
    assert found == {job: job * job for job in range(8) if job != 3}
    assert values([3], Square(tmp_path / "log"), executor) == {}


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (USERS, r"^prompt 101: not finite; lower guidance.scale \(1 of 6 jobs failed"),
        (BUG, r"^102: KeyError: 'column' \(1 of 6"),
    ],
)
def test_one_failure_stops_no_other_job(
    bad: int, message: str, executor: Executor, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    found: dict[int, int] = {}
    with pytest.raises(JobError, match=message) as caught:
        for result in run(
            [0, 1, bad, 4, 5, 6], Square(tmp_path / "log"), lambda job: False, executor
        ):
            found[result.job] = result.value
    assert set(found) == {0, 1, 4, 5, 6} and "\n" not in str(caught.value)
    assert ("Traceback" in caplog.text) == (bad == BUG)  # a bug keeps its traceback


def test_what_a_failing_job_made_first_is_kept(executor: Executor, tmp_path: Path) -> None:
    found = []
    with pytest.raises(UserError, match="second half"):
        for result in run([HALF, 2], Square(tmp_path / "log"), lambda job: False, executor):
            found.append(result.value)
    assert sorted(found) == [4, HALF**2]


def test_if_nothing_works_the_rest_is_not_tried(tmp_path: Path) -> None:
    with pytest.raises(JobError, match=r"^prompt 101.* \(3 of 50 jobs failed"):
        list(run([USERS] * 50, Square(tmp_path / "log"), lambda job: False, Serial(CPU, 1)))


def test_a_dead_worker_costs_no_job_and_a_deadly_job_itself_alone(
    several: Executor, tmp_path: Path
) -> None:
    found = []
    with pytest.raises(JobError, match=r"^100: its worker .*; if memory .*1 of 7") as said:
        for result in run(
            [1, DEADLY_ONCE, 2, USERS, DEADLY, 4, 5, 6],
            Square(tmp_path / "log"),
            lambda job: job == USERS,
            several,
        ):
            found.append((result.job, result.value))
    assert "\n" not in str(said.value)
    once = [(DEADLY_ONCE, DEADLY_ONCE**2), (DEADLY_ONCE, -DEADLY_ONCE)]
    assert sorted(found) == sorted([*once, *((job, job * job) for job in (1, 2, 4, 5, 6))])
    assert [pair for pair in found if pair in once] == once


def test_bits_do_not_depend_on_who_works(several: Executor) -> None:
    one, two = (
        {r.job: r.value for r in run(range(6), matrix, lambda job: False, executor)}
        for executor in (Serial(CPU, 1), several)
    )
    assert all(torch.equal(one[job], two[job]) for job in range(6))


def test_large_jobs_come_first() -> None:
    found = run([3, 1, 4, 5], Square(Path(os.devnull)), lambda j: j == 5, Serial(CPU, 1), float)
    assert [result.job for result in found] == [4, 3, 1]


def test_tasks_that_cannot_begin_are_not_submitted_for_ever(slurm: "Slurm", tmp_path: Path) -> None:
    broken = replace(slurm, count=1, device=partial(torch.device, "nowhere"))
    with pytest.raises(JobError, match=r"tasks end before they begin: .*nowhere.*\(all of it in"):
        list(run([1, 2], Square(tmp_path / "log"), lambda job: False, broken))
    unknown = replace(slurm, options={"timeout": 5})
    with pytest.raises(UserError, match=r"^resources.slurm: .*timeout"):
        list(run([1], Square(tmp_path / "log"), lambda job: False, unknown))


def test_workers_keep_what_they_opened_until_another_is_asked_for(tmp_path: Path) -> None:
    pool, log = Pool(["cpu", "cpu"], 1, ["tests.jobs.work"]), tmp_path / "log"
    for key in ("a", "a", "b"):
        values([0, 1, 2, 4], Square(log, key), Processes(pool))
    lines = [line.split(maxsplit=1) for line in log.read_text().splitlines()]
    pool.end()
    assert len({process for process, _ in lines}) == 2
    for mine in {process for process, _ in lines}:
        said = [what for process, what in lines if process == mine]
        assert said == ["opens a", "closes a", "opens b"]
    log.unlink()
    values([0, 1], Square(log), Serial(CPU, 1))
    assert [line.split()[1] for line in log.read_text().splitlines()] == ["opens", "closes"]


def test_a_single_job_calls_no_help(tmp_path: Path) -> None:
    pool = Pool(["cpu", "cpu"], 1, ["tests.jobs.work"])
    automatic, square = Automatic(Serial(CPU, 1), Processes(pool)), Square(tmp_path / "log")
    values([5], square, automatic)
    assert not pool.ready
    values([0, 1, 2, 4], square, automatic)
    assert pool.ready
    values([6], square, automatic)
    pool.end()
    log = [line.split() for line in (tmp_path / "log").read_text().splitlines()]
    openers = [process for process, what, _ in log if what == "opens"]
    assert openers.count(str(os.getpid())) == 1 and len(set(openers)) == 3


_PARENT = """
from pathlib import Path
from mitune.jobs import Pool, Processes, run
from tests.jobs.work import sleep_forever

# A script without a guard: workers do not run it again.
jobs = [Path({folder!r}) / name for name in "ab"]
executor = Processes(Pool(["cpu", "cpu"], 1, ["tests.jobs.work"]))
list(run(jobs, sleep_forever, lambda job: False, executor))
"""


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_orphan_stays(sign: signal.Signals, tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(_PARENT.format(folder=str(tmp_path)))
    root = Path(work.__file__).parents[2]
    paths = os.pathsep.join([str(root), str(root / "src")])
    parent = subprocess.Popen(
        [sys.executable, str(script)],
        env={**os.environ, "PYTHONPATH": paths},
        stderr=subprocess.DEVNULL,
    )
    files = [tmp_path / "a", tmp_path / "b"]
    assert _soon(lambda: all(f.exists() and f.read_text() for f in files), 120)
    parent.send_signal(sign)
    assert parent.wait(20) != 0
    assert _soon(lambda: not any(Path(f"/proc/{f.read_text()}").exists() for f in files), 20)


def _soon(happened: Callable[[], bool], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if happened():
            return True
        time.sleep(0.05)
    return False


def test_processes_that_work_together_meet_and_end() -> None:
    pool = Pool(["cpu", "cpu"], 1, ["tests.jobs.work"])
    (pids,) = together(work.gathered, pool)
    assert len(set(pids)) == 2
    assert os.getpid() not in pids
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_one_that_dies_takes_the_others_along() -> None:
    pool = Pool(["cpu", "cpu"], 1, ["tests.jobs.work"])
    with pytest.raises(JobError, match=r"killed by signal 9|by peer"):
        list(together(work.deserted, pool))
    assert not pool.ready
