"""Starting TensorBoard for one study or several.

Owns the child process: its port, waiting until it answers, its end. Prints nothing. What TensorBoard shows was
written by the observer; what it shows for several studies together is made by `compare`.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from tuning.errors import OptionError, StudyError, TuningError, must
from tuning.tensorboard import compare

FIRST_PORT = 6006
"""TensorBoard's own usual port; the first that is tried."""

_START_SECONDS = 90.0
_REFRESH_SECONDS = 10.0
# Without TensorFlow, whose file systems and plugins no study needs, TensorBoard answers in 1 s instead of 5 s and
# takes 70 MB instead of 700 MB. TensorBoard itself asks for this module to find out. The working folder must not
# be where modules come from. Its standard input is a pipe that ends with this process, however that ends.
_PROGRAM = (
    "import os, threading; "
    "threading.Thread(target=lambda: (os.read(0, 1), os._exit(0)), daemon=True).start(); "
    "import sys; sys.path = [p for p in sys.path if p]; sys.argv[0] = 'tensorboard'; import types; "
    "sys.modules['tensorboard.compat.notf'] = types.ModuleType('tensorboard.compat.notf'); "
    "from tensorboard.main import run_main; run_main()"
)


@dataclass
class Board:
    """A TensorBoard that runs. Close it, or use it as a context manager.

    Attributes:
        url: where it answers.
        process: the child process.
        logdir: the folder that it shows.
    """

    url: str
    process: subprocess.Popen[bytes]
    logdir: Path
    _studies: Sequence[Path] = ()
    _resources: contextlib.ExitStack = field(default_factory=contextlib.ExitStack, repr=False)

    def wait(self) -> int:
        """Wait until TensorBoard ends and return its exit code; meanwhile new trials join a view of several studies."""
        while True:
            try:
                return self.process.wait(timeout=_REFRESH_SECONDS)
            except subprocess.TimeoutExpired:
                self.refresh()

    def refresh(self) -> None:
        """Show what the studies of a common view have added since; a single study needs no help."""
        if len(self._studies) > 1:
            with contextlib.suppress(StudyError, OSError):  # a search is just replacing its record: the next time
                compare.join(self._studies, self.logdir)

    def close(self) -> None:
        """End TensorBoard and remove what was made only for it."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._resources.close()

    def __enter__(self) -> Board:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def serve(
    study_paths: Sequence[Path | str],
    port: int | None = None,
    host: str = "127.0.0.1",
    folder: Path | str | None = None,
    arguments: Sequence[str] = (),
) -> Board:
    """Start TensorBoard and return once it answers.

    Args:
        study_paths: folders of studies, such as `logs/fashion_mnist-hyperband`; several are shown side by side.
        port: 1 to 65535; the first free one from 6006 on by default.
        host: the address to listen on.
        folder: where a view of several studies is made; a temporary folder by default.
        arguments: handed on to TensorBoard, such as "--reload_interval=1".

    Raises:
        OptionError: the port is taken or none, or no study was given.
        StudyError: a study has nothing for TensorBoard.
        TuningError: TensorBoard does not start.
    """
    folders = [_tensorboard_folder(Path(path)) for path in study_paths]
    if not folders:
        raise OptionError(must("studies", "name at least one study", list(study_paths)))
    _check_port(port, host)
    with contextlib.ExitStack() as resources:
        logdir = folders[0]
        if len(folders) > 1:
            if folder is None:
                folder = resources.enter_context(tempfile.TemporaryDirectory(prefix="tuning-compare-"))
            logdir = Path(folder)
            compare.join(folders, logdir)
        output = resources.enter_context(tempfile.TemporaryFile())
        for chosen in [port] if port is not None else _free_ports(host):
            process = _start(logdir, host, chosen, arguments, output)
            resources.callback(_end, process)
            if _answers(process, host, chosen, logdir):
                return Board(f"http://{_in_url(host)}:{chosen}/", process, logdir, folders, resources.pop_all())
            if process.poll() is None or b"already in use" not in _said(output):
                break
        raise TuningError(f"TensorBoard must answer within {_START_SECONDS:.0f} s, but it said: {_last_lines(output)}")


def _tensorboard_folder(study: Path) -> Path:
    folder = study / "tensorboard"
    if not study.is_dir():
        raise StudyError(f"'{study}' must be the folder of a study, but there is none. `tune list` shows the studies.")
    if not folder.is_dir():
        raise StudyError(
            f"'{study}' must hold a folder 'tensorboard', but there is none. "
            "Run `tune run` on the study again: it writes what is missing."
        )
    return folder


def _check_port(port: int | None, host: str) -> None:
    if port is None:
        return
    if not 0 < port < 65536:
        raise OptionError(must("port", "be 1 to 65535", port))
    problem = _why_not(host, port)
    if problem:
        raise OptionError(must("port", f"be free on {host}", port, f"{problem}. Leave it out for the next free one."))


def _free_ports(host: str) -> Iterator[int]:
    """Yield a few free ports: another program may take one before TensorBoard does."""
    free = (port for port in range(FIRST_PORT, FIRST_PORT + 200) if not _why_not(host, port))
    for _, port in zip(range(5), free, strict=False):
        yield port


def _why_not(host: str, port: int) -> str:
    """Return why nothing can listen on a port; an empty string when something can."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        return str(error.strerror or error)
    return ""


def _start(logdir: Path, host: str, port: int, arguments: Sequence[str], output: IO[Any]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", _PROGRAM, "--logdir", str(logdir), "--host", host, "--port", str(port), *arguments]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output, stderr=output)


def _answers(process: subprocess.Popen[bytes], host: str, port: int, logdir: Path) -> bool:
    """Wait until TensorBoard answers; tell whether it did, and not another one that was faster to take the port."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    end = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < end:
        connection = http.client.HTTPConnection(host, port, timeout=5)
        try:
            connection.request("GET", "/data/environment")
            response = connection.getresponse()
            if response.status == http.client.OK and json.load(response).get("data_location") == str(logdir):
                return process.poll() is None
        except (OSError, ValueError, http.client.HTTPException):
            pass
        finally:
            connection.close()
        time.sleep(0.05)
    return False


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.kill()
        process.wait()
    if process.stdin is not None:
        process.stdin.close()


def _said(output: IO[Any]) -> bytes:
    output.seek(0)
    return bytes(output.read())


def _last_lines(output: IO[Any]) -> str:
    lines = [line.strip() for line in _said(output).decode(errors="replace").splitlines() if line.strip()]
    return " ".join(lines[-3:]) or "nothing"


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
