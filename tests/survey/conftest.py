import io
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlencode

import numpy as np
import pandas as pd
import pytest
import uvicorn
from PIL import Image

from mitune.prompts import prompt_id
from mitune.survey.app import create_app
from mitune.survey.storage import Answers
from mitune.survey.study import Questions, Study, picture_id

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)> \'q\' "q"',
    "line one\nline two\r\nline three",
    "'); DROP TABLE answers; --",
    "{{ 7 * 7 }}{% raw %}&amp;</legend>",
    "../../etc/passwd %2e%2e\\ \u202eabc, a comma",
)
METHODS = ("base", "random_k", "round_1")


def png(*number: int) -> bytes:
    stream = io.BytesIO()
    colour = np.random.default_rng(number).integers(0, 255, 3, dtype=np.uint8)
    Image.fromarray(np.broadcast_to(colour, (8, 8, 3)).copy()).save(stream, "PNG")
    return stream.getvalue()


def methods_table(prompts: list[str], options=METHODS, images: int = 2) -> pd.DataFrame:
    """Every option has a picture of its own of every prompt and seed; the last has most judge."""
    rows = [
        {
            "prompt_id": prompt_id(prompt),
            "category": ("color", "shape")[p % 2],
            "prompt": prompt,
            "image_index": image,
            "option": option,
            "png": png(p, o, image),
            "judge": o / (len(options) - 1),
        }
        for p, prompt in enumerate(prompts)
        for o, option in enumerate(options)
        for image in range(images)
    ]
    return pd.DataFrame(rows).assign(picture=lambda t: [picture_id(png) for png in t["png"]])


def a_study(prompts=HOSTILE, count: int = 2, groups=(), **more) -> Study:
    questions = Questions(count=count, per="category")
    table = methods_table(list(prompts), **more)
    return Study("methods", "main", questions, table, groups, "Nothing about you is stored.")


@pytest.fixture
def study() -> Study:
    return a_study()


@pytest.fixture
def answers(tmp_path: Path) -> Answers:
    return Answers(tmp_path / "answers.sqlite")


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@contextmanager
def serving(study: Study, answers: Answers, code: str = "") -> Iterator[int]:
    """The application on a port of its own."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        config = uvicorn.Config(create_app(study, answers, code), log_level="warning")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            while not server.started:
                time.sleep(0.01)
            yield listening.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join()


class Reply:
    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body
        self.text = body.decode(errors="replace")
        self.at = headers.get("location", "")

    @property
    def pictures(self) -> list[str]:
        return re.findall(r'src="/picture/([0-9a-f]+)"', self.text)

    @property
    def ticked(self) -> list[str]:
        return re.findall(r'name="picture" value="(\w+)" checked', self.text)


class Client:
    def __init__(self, port: int) -> None:
        self.port = port

    def get(self, path: str) -> Reply:
        return self.send("GET", path)

    def post(self, path: str, *fields: tuple[str, object], **headers: str) -> Reply:
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        return self.send("POST", path, urlencode(fields), {**kind, **headers})

    def send(self, method: str, path: str, body=None, headers=None) -> Reply:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, headers or {})
            reply = connection.getresponse()
            named = {name.lower(): value for name, value in reply.getheaders()}
            return Reply(reply.status, named, reply.read())
        finally:
            connection.close()


@pytest.fixture
def client(study: Study, answers: Answers) -> Iterator[Client]:
    with serving(study, answers) as port:
        yield Client(port)
