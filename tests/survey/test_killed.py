"""Many respondents at once while the server is killed twice: nothing lost, nothing doubled."""

import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path

import numpy as np
import pytest

from mitune.survey.navigation import survey_of
from mitune.survey.storage import Answers
from tests.conftest import ROOT
from tests.survey.conftest import Client, Reply

RESPONDENTS = 30
QUESTIONS, OPTIONS = 4, 3


@dataclass
class Crowd:
    """Respondents, and what the server told them that it has stored."""

    port: int
    deadline: float
    stored: dict[str, dict[int, int]] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    refused: int = 0

    def respond(self, number: int) -> None:
        """A whole survey; whatever gets no answer is sent again."""
        rng = np.random.default_rng(number)
        at = self._send("/").at.rpartition("/")[0]
        mine = self.stored.setdefault(survey_of(at.removeprefix("/survey/")), {})
        for question in range(1, QUESTIONS + 1):
            position = int(rng.integers(1, OPTIONS + 1))
            self._send(f"{at}/{question}", ("picture", position), ("go", "next"))
            mine[question] = position

    def _send(self, path: str, *fields: tuple[str, object]) -> Reply:
        while time.monotonic() < self.deadline:
            begun = time.perf_counter()
            try:
                reply = Client(self.port).post(path, *fields)
            except (OSError, HTTPException):
                self.refused += 1
                time.sleep(0.2)
                continue
            assert reply.status == 303, reply.text
            self.seconds.append(time.perf_counter() - begun)
            return reply
        raise TimeoutError(path)

    @property
    def answered(self) -> int:
        return sum(map(len, list(self.stored.values())))


def start(file: Path, port: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.survey.server", str(file), str(port)]
    return subprocess.Popen(command, cwd=ROOT)


def crowd_with_kills(file: Path, respondents: int, seconds: float) -> Crowd:
    """All respondents at once; the server is killed when a third and two thirds are answered."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    crowd = Crowd(port, time.monotonic() + seconds)
    threads = [threading.Thread(target=crowd.respond, args=(n,)) for n in range(respondents)]
    server = start(file, port)
    try:
        for thread in threads:
            thread.start()
        for part in (1, 2):
            while crowd.answered < part * respondents * QUESTIONS // 3:
                assert time.monotonic() < crowd.deadline
                time.sleep(0.005)
            server.kill()
            server.wait()
            server = start(file, port)
        for thread in threads:
            thread.join()
    finally:
        server.kill()
        server.wait()
    return crowd


def check(crowd: Crowd, file: Path, respondents: int) -> None:
    assert len(crowd.stored) == respondents
    assert crowd.answered == respondents * QUESTIONS
    table = Answers(file).table()
    # A survey is there whole or not at all, also one whose start was never confirmed.
    assert (table.groupby("survey").size() == QUESTIONS * OPTIONS).all()
    assert not table.duplicated(["survey", "question", "option"]).any()
    chosen = table[table["selected"].fillna(False)]
    kept: dict[str, dict[int, int]] = {}
    for row in chosen.itertuples():
        kept.setdefault(row.survey, {})[row.question] = row.position
    assert kept == crowd.stored


@pytest.mark.slow
def test_no_answer_is_lost_or_doubled(tmp_path: Path) -> None:
    file = tmp_path / "answers.sqlite"
    crowd = crowd_with_kills(file, RESPONDENTS, 240)
    assert crowd.refused > 0  # the kills were felt
    check(crowd, file, RESPONDENTS)
