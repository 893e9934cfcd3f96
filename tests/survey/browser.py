"""Chromium by its debugging protocol, driven as a person does: by keys."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from websockets.sync.client import ClientConnection, connect

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
_KEYS = {"Tab": (9, ""), " ": (32, " "), "Enter": (13, "\r")}


class Page:
    """A tab."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._count = 0
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.requested: list[str] = []
        self.complaints: list[str] = []

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        self._count += 1
        self._connection.send(json.dumps({"id": self._count, "method": method, "params": params}))
        while True:
            message = json.loads(self._connection.recv(timeout=60))
            self._note(message)
            if message.get("id") == self._count:
                assert "error" not in message, message
                return message["result"]

    def _note(self, message: dict[str, Any]) -> None:
        if message.get("method") == "Network.requestWillBeSent":
            self.requested.append(message["params"]["request"]["url"])
        if message.get("method") in ("Log.entryAdded", "Runtime.exceptionThrown"):
            self.complaints.append(json.dumps(message["params"]))

    def run(self, script: str) -> Any:
        result = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        return result["result"].get("value")

    def open(self, address: str) -> None:
        self.call("Page.navigate", url=address)
        self.settle()

    def reload(self) -> None:
        self.call("Page.reload")
        self.settle()

    def settle(self) -> None:
        """Wait until the page after an action is there."""
        for _ in range(400):
            time.sleep(0.05)
            if self.run("document.readyState + !!document.title") == "completetrue":
                return
        raise TimeoutError("the page does not load")

    def shows(self, title: str) -> None:
        """Wait for a page of this title."""
        for _ in range(400):
            if self.run("document.readyState + document.title") == f"complete{title}":
                return
            time.sleep(0.05)
        raise TimeoutError(f"no page {title!r}, but {self.run('document.title')!r}")

    def press(self, *keys: str) -> None:
        for key in keys:
            code, text = _KEYS[key]
            name = "Space" if key == " " else key
            about = {"key": key, "code": name, "windowsVirtualKeyCode": code}
            self.call("Input.dispatchKeyEvent", type="keyDown", text=text, **about)
            self.call("Input.dispatchKeyEvent", type="keyUp", **about)

    def tab_to(self, selector: str) -> None:
        """Press Tab until the focus is there."""
        for _ in range(30):
            self.press("Tab")
            if self.run(f"document.activeElement.matches({json.dumps(selector)})"):
                return
        raise AssertionError(f"{selector} cannot be reached by Tab")

    def size(self, width: int, height: int, phone: bool) -> None:
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=phone,
        )  # fmt: skip

    def picture(self, file: Path) -> None:
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        file.write_bytes(base64.b64decode(shot["data"]))

    def names(self) -> list[tuple[str, str]]:
        """Role and name of everything that a screen reader announces."""
        nodes = self.call("Accessibility.getFullAXTree")["nodes"]
        return [
            (node["role"]["value"], node.get("name", {}).get("value", ""))
            for node in nodes
            if not node["ignored"]
        ]


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser without a window."""
    assert CHROMIUM
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen(
            [
                CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run",
                "--disable-dev-shm-usage", "--disable-background-networking",
                "--remote-debugging-port=0", f"--user-data-dir={profile}", "about:blank",
            ],
            stderr=subprocess.PIPE,
            text=True,
        )  # fmt: skip
        try:
            assert process.stderr
            for line in process.stderr:
                if found := re.search(r"ws://(127\.0\.0\.1:\d+)/", line):
                    yield Browser(found.group(1))
                    break
        finally:
            process.terminate()
            process.wait(30)


class Browser:
    def __init__(self, address: str) -> None:
        self._address = address

    @contextmanager
    def page(self) -> Iterator[Page]:
        """A new tab."""
        request = Request(f"http://{self._address}/json/new?about:blank", method="PUT")
        with urlopen(request) as reply:
            target = json.load(reply)["webSocketDebuggerUrl"]
        with connect(target, max_size=None) as connection:
            yield Page(connection)
