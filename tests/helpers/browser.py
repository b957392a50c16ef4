"""A real Chromium without a network, driven through the W3C WebDriver protocol."""

import base64
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

DRIVER = "/usr/bin/chromedriver"
WAIT_S = 60


class Browser:
    """One window of the browser."""

    def __init__(self, session: str):
        """`session` is the address of the driver's session."""
        self._session = session

    def _call(self, method: str, command: str, **values: object) -> object:
        answer = requests.request(
            method,
            f"{self._session}/{command}",
            json=values if method == "POST" else None,
            timeout=2 * WAIT_S,
        ).json()["value"]
        if isinstance(answer, dict) and "error" in answer:
            raise RuntimeError(f"{command}: {answer['message']}")
        return answer

    def open(self, page: Path) -> None:
        """Open a file."""
        self._call("POST", "url", url=page.absolute().as_uri())

    def run(self, script: str, *arguments: object) -> object:
        """What a script returns; a promise is waited for."""
        return self._call("POST", "execute/sync", script=script, args=list(arguments))

    def wait(self, script: str) -> None:
        """Wait until an expression is true."""
        end = time.monotonic() + WAIT_S
        while not self.run(f"return Boolean({script})"):
            if time.monotonic() > end:
                raise TimeoutError(f"{script}: {self.said()}")
            time.sleep(0.05)

    def said(self) -> list[str]:
        """What the console has said since it was last asked, warnings and errors."""
        log = self._call("POST", "se/log", type="browser")
        return [entry["message"] for entry in log]

    def resize(self, width: int, height: int) -> None:
        """Give the page a size, in pixels of its own."""
        self._call(
            "POST",
            "goog/cdp/execute",
            cmd="Emulation.setDeviceMetricsOverride",
            params={"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False},
        )

    def point(self, x: float, y: float, *, click: bool = False) -> None:
        """Move the mouse to a place of the page, and click there."""
        steps = [{"type": "pointerMove", "duration": 0, "x": round(x), "y": round(y)}]
        if click:
            steps += [{"type": "pointerDown", "button": 0}, {"type": "pointerUp", "button": 0}]
        mouse = {"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}}
        self._call("POST", "actions", actions=[{**mouse, "actions": steps}])

    def picture(self) -> bytes:
        """A PNG of the page."""
        return base64.b64decode(self._call("GET", "screenshot"))


@contextmanager
def open_browser(folder: Path) -> Iterator[Browser]:
    """A Chromium that reaches no server; its own files go to `folder`."""
    if not Path(DRIVER).exists():
        pytest.skip(f"{DRIVER} is absent; install chromium-driver")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    driver = subprocess.Popen(
        [DRIVER, f"--port={port}"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "HOME": str(folder)},
    )
    address = f"http://127.0.0.1:{port}"
    arguments = [
        *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
        *("--no-first-run", "--disable-background-networking", "--window-size=1280,900"),
        "--proxy-server=http://127.0.0.1:9",  # where nobody listens
        f"--user-data-dir={folder / 'profile'}",
    ]
    options = {
        "browserName": "chrome",
        "goog:chromeOptions": {"args": arguments},
        "goog:loggingPrefs": {"browser": "ALL"},
    }
    session = ""
    try:
        for _ in range(100):
            try:
                requests.get(f"{address}/status", timeout=5)
                break
            except requests.ConnectionError:
                time.sleep(0.1)
        made = requests.post(
            f"{address}/session",
            json={"capabilities": {"alwaysMatch": options}},
            timeout=WAIT_S,
        ).json()["value"]
        if "sessionId" not in made:
            raise RuntimeError(made["message"])
        session = f"{address}/session/{made['sessionId']}"
        yield Browser(session)
    finally:
        if session:
            requests.delete(session, timeout=WAIT_S)
        driver.terminate()
        driver.wait(WAIT_S)
        shutil.rmtree(folder / "profile", ignore_errors=True)
