"""Real processes for tests: searches that can be killed, their workers, and a PostgreSQL server.

A search runs in a process that is forked from a server which has imported everything, so that it starts in a tenth
of a second and dozens of kills fit into a test.
"""

import atexit
import contextlib
import json
import multiprocessing
import os
import pwd
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pytest

from tests.conftest import SPACES

CURVE = str(SPACES / "curve.py")
PASSWORD = "s3cret%2Fpass"
"""Of the PostgreSQL server, as it stands in a URL."""

_FORKING = multiprocessing.get_context("forkserver")
_FORKING.set_forkserver_preload(
    [
        "tests.processes",
        "tuning.api",
        "tuning.engines.keras_tuner.engine",
        "optuna.storages",
        "sqlite3",
        "alembic.context",
    ]
)


# Workers ----------------------------------------------------------------------------------------------


def workers_of(pid=None):
    """Return the worker processes of a driver; default: of this process."""
    try:
        children = psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []
    return [child for child in children if _is_worker(child)]


def _is_worker(process):
    try:
        return "tuning.executors.worker" in " ".join(process.cmdline()) and _is_alive(process)
    except psutil.Error:
        return False


def are_gone(processes, seconds=5.0):
    """Wait for the end of processes; tell whether it came. Those without parents may have nobody to bury them."""
    end = time.monotonic() + seconds
    while any(map(_is_alive, processes)):
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def _is_alive(process):
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


# Drivers ----------------------------------------------------------------------------------------------

_STARTED = []


@atexit.register  # before the interpreter waits for them
def _kill_all():
    for driver in _STARTED:
        if driver.process.is_alive():
            driver.kill()


class Driver:
    """A search in a process of its own: `tuning.search(space, **arguments)`.

    Args:
        space: name of the space.
        env: variables to set in that process.
        before: a function (of a module) to call there first.
        **arguments: of `tuning.search`.
    """

    def __init__(self, space=CURVE, env=(), before=None, **arguments):
        self.output = Path(tempfile.mkstemp(prefix="driver-", suffix=".txt")[1])
        self._result = self.output.with_suffix(".json")
        settings = (space, dict(env), before, str(self.output), str(self._result), arguments)
        self.process = _FORKING.Process(target=_drive, args=settings, daemon=False)
        self.process.start()
        _STARTED.append(self)

    @property
    def pid(self):
        return self.process.pid

    def send(self, number):
        os.kill(self.pid, number)

    def kill(self):
        """Kill it with its workers watching; return them."""
        workers = workers_of(self.pid)
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        self.process.join()
        return workers

    def wait(self, seconds=60):
        """Wait for its end; return "" or the error that ended it, in one line."""
        self.process.join(seconds)
        if self.process.exitcode is None:
            self.kill()
            raise TimeoutError(self.output.read_text())
        if not self._result.exists():
            return f"exit code {self.process.exitcode}: {self.output.read_text()}"
        return json.loads(self._result.read_text())["error"]


def _drive(space, env, before, output, result, arguments):
    os.environ.update(env)
    with open(output, "a") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    if before is not None:
        before()
    import tuning

    error = ""
    try:
        tuning.search(space, **arguments)
    except tuning.TuningError as caught:
        error = f"{type(caught).__name__}: {caught}"
    except KeyboardInterrupt:
        error = "KeyboardInterrupt"
    draft = Path(f"{result}.tmp")
    draft.write_text(json.dumps({"error": error}))
    draft.rename(result)


def wait_until(condition, seconds=30.0):
    """Wait for a condition."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("; ".join(driver.output.read_text() for driver in _STARTED[-1:]))
        time.sleep(0.01)


def busy_space(folder, statement):
    """Write the file of a space whose training does `statement` after its first epoch; return its path.

    With `CALM` in the environment it does not: the code of a study's space must stay the same.
    """
    path = Path(folder) / "busy.py"
    path.write_text(
        "import os, time\nfrom tuning import Data, SearchSpace\n"
        "class Busy(SearchSpace):\n"
        "    objective = 'score:max'\n"
        "    def build(self, hp): hp.Float('a', 0, 1)\n"
        "    def fit(self, hp, model, x, *, epochs, callbacks=(), **_):\n"
        "        callbacks[0].on_epoch_end(0, {'score': 1.0})\n"
        f"        if epochs > 1 and 'CALM' not in os.environ: {statement}\n"  # preflight trains one
        "    def load_data(self): return Data([1.0])\n"
    )
    return str(path)


# What a study's file holds --------------------------------------------------------------------------------


def records(database):
    """Return each trial's record as it lies in a SQLite file, byte for byte, by the row's number."""
    query = "SELECT number, value_json FROM trials JOIN trial_user_attributes USING (trial_id) WHERE key = 'tuning'"
    try:
        with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30)) as connection:
            return dict(connection.execute(query).fetchall())
    except sqlite3.OperationalError:  # not created yet
        return {}


def finished(documents):
    """Return those records that are final."""
    return {n: text for n, text in documents.items() if json.loads(text)["state"] != "RUNNING"}


def is_sound(database):
    """Tell whether SQLite finds nothing wrong with a file."""
    if not Path(database).exists():
        return True
    with contextlib.closing(sqlite3.connect(database, timeout=30)) as connection:
        return connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def outcome(study):
    """Return what must be the same in every search with the same seed: all but times."""
    return [
        (t.number, t.state, t.score, dict(t.values), t.curve, [(r.start, r.stop, r.until, r.note) for r in t.runs])
        for t in study.trials
    ]


# PostgreSQL -------------------------------------------------------------------------------------------


class Postgres:
    """A PostgreSQL server on a free port, with its data in a folder of its own."""

    def __init__(self):
        self._bin = _server_binaries()
        pytest.importorskip("psycopg", reason="psycopg is not installed: pip install 'keras-tuning[postgresql]'")
        self._user = _unprivileged_user()
        self.folder = Path(tempfile.mkdtemp(prefix="postgresql-"))
        with contextlib.closing(socket.socket()) as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        secret = self.folder / "password"
        secret.write_text(PASSWORD.replace("%2F", "/"))
        if self._user is not None:
            for path in (self.folder, secret):
                shutil.chown(path, self._user)
        login = ["--auth=scram-sha-256", "--username=tester", f"--pwfile={secret}"]
        self._call("initdb", "--no-sync", "--encoding=UTF8", "--no-locale", *login)

    def url(self, password=PASSWORD, port=None, scheme="postgresql"):
        return f"{scheme}://tester:{password}@127.0.0.1:{port or self.port}/postgres"

    def start(self):
        options = f"-p {self.port} -k {self.folder} -c fsync=off"
        self._call("pg_ctl", "-w", "-l", self.folder / "log", "-o", options, "start")

    def stop(self, mode="immediate"):
        """Stop it; "immediate" is a crash: nothing is written any more."""
        self._call("pg_ctl", "-w", "-m", mode, "stop")

    def remove(self):
        with contextlib.suppress(subprocess.CalledProcessError):
            self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _call(self, program, *arguments):
        done = subprocess.run(
            [self._bin / program, "-D", self.folder / "data", *arguments], user=self._user, cwd=self.folder, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, check=False,
            **({} if self._user is None else {"group": pwd.getpwnam(self._user).pw_gid, "extra_groups": []}),
        )  # fmt: skip
        if done.returncode:
            raise subprocess.CalledProcessError(done.returncode, program, done.stdout)


@contextlib.contextmanager
def running_postgres():
    """Run a server; skip the test where that is not possible."""
    server = Postgres()
    try:
        server.start()
        yield server
    finally:
        server.remove()


def _server_binaries():
    """Return the folder of `initdb` and `pg_ctl`; Debian keeps them off the path."""
    found = shutil.which("pg_ctl")
    folders = [Path(found).resolve().parent] if found else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for folder in folders:
        if all((folder / name).exists() for name in ("initdb", "pg_ctl", "postgres")):
            return folder
    pytest.skip("there is no PostgreSQL server on this machine: apt-get install postgresql")


def _unprivileged_user():
    """Return the user to run the server as: it refuses to be root's."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    pytest.skip("PostgreSQL does not run as root, and there is neither a user 'postgres' nor 'nobody'")


def tune(*arguments, cwd, env=(), code="", **options):
    """Start the `tune` command; `code` is run in its process first."""
    from tests.conftest import ROOT

    program = f"{code}\nfrom tuning.cli import main\nmain()"
    return subprocess.Popen(
        [sys.executable, "-c", program, *map(str, arguments)], cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, env={**os.environ, "PYTHONPATH": str(ROOT), **dict(env)}, **options,
    )  # fmt: skip
