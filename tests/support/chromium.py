"""Chromium without a window, driven over a pipe by its own protocol (CDP): no driver, no port, no package."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome")
PATIENCE = 180.0
"""Seconds for one answer; the first comes after the start, which takes its time on a loaded machine."""
FLAGS = (
    "--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
    "--no-first-run", "--disable-extensions", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--disable-default-apps", "--hide-scrollbars", "--force-color-profile=srgb",
)  # fmt: skip


def find() -> str | None:
    """Return the browser's program, None when there is none."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """One browser with one tab."""

    def __init__(self, write: int, read: int) -> None:
        self._write = write
        self._read = read
        self._rest = b""
        self._waiting = select.poll()  # unlike select(), for descriptors of any number
        self._waiting.register(read, select.POLLIN | select.POLLHUP)
        self._number = 0
        self.events: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", {"url": "about:blank"}, None)["targetId"]
        self.session: str = self.call("Target.attachToTarget", {"targetId": target, "flatten": True}, None)[
            "sessionId"
        ]
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, parameters: dict[str, Any] | None = None, session: str | None = "") -> Any:
        """Return the answer to a command; what happens meanwhile is kept in ``events``."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters or {}}
        if session is not None:
            message["sessionId"] = session or self.session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]
            self.events.append(answer)

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            ready = self._waiting.poll(PATIENCE * 1000)
            assert ready, f"the browser does not answer within {PATIENCE:.0f} s"
            part = os.read(self._read, 1 << 16)
            assert part, "the browser has ended"
            self._rest += part
        message, _, self._rest = self._rest.partition(b"\0")
        found: dict[str, Any] = json.loads(message)
        return found

    def ask(self, script: str) -> Any:
        """Return the value of an expression in the page."""
        answer = self.call(
            "Runtime.evaluate", {"expression": script, "returnByValue": True, "awaitPromise": True}
        )
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def until(self, script: str, seconds: float = 120.0) -> None:
        """Wait until an expression is true; one that fails, as on a page that is not there yet, is not."""
        deadline = time.monotonic() + seconds
        while not self.ask(f"(() => {{ try {{ return {script} }} catch {{ return false }} }})()"):
            assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {script}"
            time.sleep(0.05)

    def show(self, width: int, height: int, dark: bool, mobile: bool = False) -> None:
        """Set the window's size and the preferred colours."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile}
        self.call("Emulation.setDeviceMetricsOverride", metrics)
        colours = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.call("Emulation.setEmulatedMedia", {"features": colours})

    def open(self, url: str) -> None:
        """Load a page."""
        self.events.clear()
        self.call("Page.navigate", {"url": url})
        self.until(f"document.readyState === 'complete' && location.href.startsWith({json.dumps(url)})")

    def requests(self) -> list[str]:
        """Return the addresses that the page has asked for."""
        return [
            event["params"]["request"]["url"]
            for event in self.events
            if event.get("method") == "Network.requestWillBeSent"
        ]

    def complaints(self) -> list[str]:
        """Return what the browser has to say against the page: errors of scripts, refused loads, broken policies."""
        found = [str(e["params"]) for e in self.events if e.get("method") == "Runtime.exceptionThrown"]
        for event in self.events:
            if event.get("method") == "Log.entryAdded" and event["params"]["entry"]["level"] == "error":
                found.append(event["params"]["entry"]["text"])
        return found

    def screenshot(self, path: Path) -> bytes:
        """Write the whole page as a picture and return it."""
        answer = self.call("Page.captureScreenshot", {"format": "png", "captureBeyondViewport": True})
        picture = base64.b64decode(answer["data"])
        path.write_bytes(picture)
        return picture


@contextmanager
def running(program: str) -> Iterator[Browser]:
    """Start a browser with a profile of its own and end it, with everything that it has started."""
    profile = tempfile.mkdtemp(prefix="renkou-browser-")
    commands, write = os.pipe()
    read, answers = os.pipe()

    def pipes() -> None:
        # The protocol is on 3 and 4. Copied out of the way first: one may already be where the other belongs.
        high_in, high_out = os.dup(commands), os.dup(answers)
        while high_in < 5:
            high_in = os.dup(high_in)
        while high_out < 5:
            high_out = os.dup(high_out)
        os.dup2(high_in, 3)
        os.dup2(high_out, 4)

    process = subprocess.Popen(
        [program, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        close_fds=False, preexec_fn=pipes, start_new_session=True,
    )  # fmt: skip
    os.close(commands)
    os.close(answers)
    try:
        browser = Browser(write, read)
        yield browser
        browser.call("Browser.close", None, None)
        process.wait(30)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, 9)
            process.wait()
        os.close(write)
        os.close(read)
        shutil.rmtree(profile, ignore_errors=True)
