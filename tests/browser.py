"""A headless Chromium, told what to do through its DevTools protocol.

Owns starting and ending the browser, running JavaScript in a page, and pictures of pages; `screenshot` and
`screenshot_of_parallel_coordinates` make those of the README. Talks over a pair of pipes, so it needs no package
beyond the standard library.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
]

# Polymer elements hide their insides in shadow roots; this finds what is in any of them.
_DEEP = """
window.deep = (selector, root = document) => {
  const found = [...root.querySelectorAll(selector)];
  for (const element of root.querySelectorAll('*'))
    if (element.shadowRoot) found.push(...window.deep(selector, element.shadowRoot));
  return found;
};
window.shown = element => { const r = element.getBoundingClientRect(); return r.width > 0 && r.height > 0; };
"""


def program() -> str | None:
    """Return the path of a Chromium; None where there is none."""
    return next((path for name in PROGRAMS if (path := shutil.which(name))), None)


class Browser:
    """A headless Chromium with one page; a context manager.

    Attributes:
        exceptions: texts of the exceptions that pages have thrown.
        failures: "STATUS URL" of responses of 400 and above.
        errors: what the browser itself has remarked on as an error, such as a script that a page's policy forbids.
        requests: addresses that were asked for, but for `data:` and `blob:`, which are in the page.
    """

    def __init__(self, width: int = 1700, height: int = 900) -> None:
        self._size = (width, height)
        self._count = 0
        self._unread = b""
        self._session = ""
        self.exceptions: list[str] = []
        self.failures: list[str] = []
        self.errors: list[str] = []
        self.requests: list[str] = []

    def __enter__(self) -> Browser:
        path = program()
        if path is None:
            raise RuntimeError(f"none of {', '.join(PROGRAMS)} is installed")
        self._profile = tempfile.TemporaryDirectory(prefix="tuning-chromium-", ignore_cleanup_errors=True)
        from_us, self._to = os.pipe()
        self._from, to_us = os.pipe()

        def connect() -> None:  # the browser reads commands from 3 and answers on 4
            ends = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (from_us, to_us)]
            os.dup2(ends[0], 3)
            os.dup2(ends[1], 4)

        size = f"--window-size={self._size[0]},{self._size[1]}"
        self._process = subprocess.Popen(
            [path, *FLAGS, size, f"--user-data-dir={self._profile.name}", "about:blank"],
            preexec_fn=connect,
            pass_fds=(3, 4),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(from_us)
        os.close(to_us)
        target = self._ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self._ask(f"{domain}.enable")
        self._ask("Page.addScriptToEvaluateOnNewDocument", source=_DEEP)
        self.resize(*self._size)
        return self

    def __exit__(self, *_: object) -> None:
        self._session = ""
        with contextlib.suppress(RuntimeError, OSError):  # it may have ended by itself
            self._ask("Browser.close")
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._to)
        os.close(self._from)
        self._profile.cleanup()

    def open(self, url: str) -> None:
        """Load a page; a second one of the same address is loaded anew."""
        self._ask("Page.navigate", url="about:blank")
        self._ask("Page.navigate", url=url)

    def run(self, script: str) -> Any:
        """Return the value of a JavaScript expression; `deep(selector)` looks into shadow roots."""
        answer = self._ask("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(f"{script}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def wait(self, script: str, is_good: Callable[[Any], object] = bool, seconds: float = 20.0) -> Any:
        """Return the value of `script` as soon as it is good; the last one, good or not, when time is up."""
        end = time.monotonic() + seconds
        while True:
            try:
                value = self.run(script)
            except RuntimeError:  # the page is not there yet
                value = None
            if (value is not None and is_good(value)) or time.monotonic() > end:
                return value
            time.sleep(0.1)

    def resize(self, width: int, height: int) -> None:
        """Give the window another size, in pixels."""
        self._ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def darken(self, is_dark: bool = True) -> None:
        """Ask pages for their dark colours, or for their light ones."""
        wanted = {"name": "prefers-color-scheme", "value": "dark" if is_dark else "light"}
        self._ask("Emulation.setEmulatedMedia", features=[wanted])

    def save(self, path: Path | str) -> None:
        """Write a picture of the page, as PNG."""
        Path(path).write_bytes(base64.b64decode(self._ask("Page.captureScreenshot", format="png")["data"]))

    def _ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._count += 1
        message: dict[str, Any] = {"id": self._count, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == self._count:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            self._note(answer)

    def _receive(self, seconds: float = 60.0) -> dict[str, Any]:
        end = time.monotonic() + seconds
        while b"\0" not in self._unread:
            ready, _, _ = select.select([self._from], [], [], max(0.0, end - time.monotonic()))
            data = os.read(self._from, 1 << 16) if ready else b""
            if not data:
                raise RuntimeError("the browser does not answer" if not ready else "the browser has ended")
            self._unread += data
        message, _, self._unread = self._unread.partition(b"\0")
        return json.loads(message)

    def _note(self, event: dict[str, Any]) -> None:
        parameters = event.get("params", {})
        if event.get("method") == "Runtime.exceptionThrown":
            details = parameters["exceptionDetails"]
            self.exceptions.append(details.get("exception", {}).get("description", details["text"]))
        if event.get("method") == "Log.entryAdded" and parameters["entry"]["level"] == "error":
            self.errors.append(parameters["entry"]["text"])
        if event.get("method") == "Network.requestWillBeSent":
            url = parameters["request"]["url"]
            self.requests += [] if url.startswith(("data:", "blob:")) else [url]
        if event.get("method") == "Network.responseReceived" and parameters["response"]["status"] >= 400:
            self.failures.append(f"{parameters['response']['status']} {parameters['response']['url']}")


ROWS = "deep('tf-hparams-query-pane')[0].sessionGroups.length"
LINES = "deep('g.foreground path').filter(shown).map(p => p.getAttribute('d'))"

CLICK_LOG_AXES = 'deep(\'[id^="logScaleButton_"][id$="(log)"]\').filter(shown).map(b => b.click()).length'


def open_view(browser: Browser, url: str, view: str = "table-view") -> None:
    """Open the HPARAMS tab: table-view, parallel-coords-view or scatter-plot-matrix-view."""
    browser.open(f"{url}#hparams")
    browser.wait(ROWS)
    browser.run(f"deep('paper-tab[view-id={view}]')[0].click()")


def screenshot(url: str, path: Path | str, width: int = 1700, height: int = 900, view: str = "table-view") -> None:
    """Write a picture of a view of the HPARAMS tab.

    Args:
        url: a running TensorBoard's, such as `tuning.tensorboard.serve` returns.
        path: the PNG file.
        width, height: of the window, in pixels.
        view: see `open_view`.
    """
    with Browser(width, height) as browser:
        open_view(browser, url, view)
        time.sleep(1.5)  # the table is laid out after its data has come
        browser.save(path)


def screenshot_of_parallel_coordinates(
    url: str, path: Path | str, width: int = 1700, height: int = 900, log_axes: bool = True
) -> None:
    """Write a picture of the parallel coordinates, with logarithmic axes where a title asks for one."""
    with Browser(width, height) as browser:
        open_view(browser, url, "parallel-coords-view")
        browser.wait(LINES, len)
        if log_axes:
            browser.run(CLICK_LOG_AXES)
        time.sleep(1.0)
        browser.save(path)
