"""Kill searches again and again, and look whether anything was lost.

Run `python scripts/storm.py [kills] [seed]` from the repository's root; 100 strikes are the default. Searches of every
engine, a few at a time, are struck at random moments: the driver is killed, a worker is killed, the whole job is
killed, or stopped with SIGTERM as service managers and batch systems do it, or the driver is interrupted. Some trials
have processes of their own meanwhile. After each strike the search is taken up again, until it is done, and then the
next one begins. Ctrl-C ends the storm with the searches that are under way.

A violation is: a finished trial that is lost or has changed; a process that outlives its search; a damaged database; a
search that does not end; with one worker, another sequence of proposals or results than that of a search that nobody
disturbs; with two, a trial that failed or is missing. The figures are printed, and the exit code is 1 after any.
"""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import itertools
import json
import multiprocessing
import os
import random
import signal
import sqlite3
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import tuning  # noqa: E402
from tuning.records.trial import State  # noqa: E402

SPACE = """
import faulthandler, multiprocessing, os, signal, subprocess, threading, time
from tuning import Data, SearchSpace
if "STORM_TRACES" in os.environ:
    faulthandler.register(signal.SIGUSR1, open(os.environ["STORM_TRACES"], "a"), chain=False)
def loader():
    process = multiprocessing.get_context("fork").Process(target=time.sleep, args=(600,), daemon=True)
    process.start()
    os.system("sleep 600 & echo $! > /dev/null")
    return [process.terminate]
def programs():
    process = subprocess.Popen(["sleep", "600"], start_new_session=True, close_fds=False)
    threading.Thread(target=subprocess.call, args=(["sleep", "600"],), daemon=True).start()
    return [process.terminate, process.wait]
def fork():
    child = os.fork()
    if not child:
        os.setsid()
        if not os.fork():
            time.sleep(600)
        os._exit(0)
    return [lambda: os.waitpid(child, 0)]
STARTS = loader, programs, fork
class Storm(SearchSpace):
    name, objective = "storm", "loss:min"
    def build(self, hp):
        return hp.Float("a", 0, 1), hp.Int("b", 1, 9), hp.Choice("c", ["x", "y", "z"])
    def fit(self, hp, model, x, *, epochs, initial_epoch=0, callbacks=(), **_):
        a, b, c = model
        end = [] if b % 3 or "STORM" not in os.environ else STARTS[b // 3 - 1]()
        for epoch in range(initial_epoch, epochs):
            time.sleep(float(os.environ.get("STORM_EPOCH_SECONDS", "0")))
            if any([one.on_epoch_end(epoch, {"loss": (a - 0.3) ** 2 + b / 9 + 1 / (epoch + 1)}) for one in callbacks]):
                break
        for one in end:
            one()
    def load_data(self): return Data([float(i) for i in range(20)])
"""
EPOCH_SECONDS = 0.06
SEARCHES: dict[str, dict[str, Any]] = {
    "random": {"engine": "random", "trials": 8},
    "hyperband": {"engine": "hyperband"},
    "bayesian": {"engine": "bayesian", "trials": 7, "options": {"num_initial_points": 4}},
    # By default short trials on a busy machine may or may not be long enough for a Gaussian process.
    "optuna": {"engine": "optuna", "trials": 8, "options": {"model": "tpe"}},
    "cmaes": {"engine": "optuna", "trials": 10, "options": {"sampler": "cmaes", "n_startup_trials": 1}},
    "grid": {"engine": "grid", "trials": 8, "cv": 2},
    "halving": {"engine": "grid", "options": {"search": "halving-random"}, "trials": 6, "cv": 2},
}
STRIKES = ("kill the driver", "kill a worker", "kill the job", "stop the job", "interrupt")
MAX_STRIKES = 12
"""That a search has to bear; then it may come to its end."""
LANES = 4
"""Searches at a time: each waits more than it computes."""
PRELOADED = (
    *("tuning.api", "tuning.engines.keras_tuner.engine", "tuning.engines.optuna.engine", "tuning.engines.grid.engine"),
    *("tuning.tensorboard.observer", "optuna.storages", "alembic.context", "sqlite3"),
)
"""What drivers need and do not import again: most of what a strike would cost."""
END_SECONDS = 180.0
ORPHAN_SECONDS = 15.0

_FORKING = multiprocessing.get_context("forkserver")


def main() -> int:
    """Storm; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("kills", nargs="?", type=int, default=100)
    parser.add_argument("seed", nargs="?", type=int, default=0)
    given = parser.parse_args()
    _FORKING.set_forkserver_preload(["__main__", *PRELOADED])
    with tempfile.TemporaryDirectory(prefix="storm-") as folder:
        storm = Storm(Path(folder), given.seed)
        begun = time.monotonic()
        storm.run(given.kills)
        print(f"{sum(storm.strikes.values())} strikes in {time.monotonic() - begun:.0f} s, seed {given.seed}")
    for name, count in sorted(storm.strikes.items()):
        print(f"  {name:<16} {count}")
    print(
        f"{storm.n_studies} studies and {storm.n_trials} trials came to their end; {storm.n_workers} workers were seen"
    )
    print(f"{len(storm.violations)} violations")
    for violation in storm.violations:
        print(f"  {violation}")
    return 1 if storm.violations else 0


class Storm:
    """Strikes searches.

    Args:
        folder: where their studies lie.
        seed: decides about everything that is left to chance, but for how far a search is when it is struck.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self._folder, self._seed = folder, seed
        self._space = folder / "storm_space.py"
        self._space.write_text(SPACE)
        self._straight: dict[str, Any] = {}
        self._kills, self._longest_seconds = 0, 0.0
        self._counting, self._polling = threading.Lock(), threading.Lock()
        self.strikes: Counter[str] = Counter()
        self.violations: list[str] = []
        self.n_studies = self.n_trials = self.n_workers = 0

    def run(self, kills: int) -> None:
        """Strike so often: one engine after the other, with one worker and with two, a few searches at a time."""
        self._kills = kills
        for name, search in SEARCHES.items():
            arguments = {**search, "epochs": 6, "seed": 0, "study": f"straight-{name}", "logs": self._folder}
            self._straight[name] = _outcome(tuning.search(str(self._space), **arguments, verbose=0).trials)
        begun = time.monotonic()
        self._struck_to_the_end("random", 1, "undisturbed", random.Random(0), strikes=0)
        self._longest_seconds = time.monotonic() - begun
        turns = itertools.count()

        def strike_on() -> None:
            while sum(self.strikes.values()) < self._kills:
                turn = next(turns)
                name, workers = list(SEARCHES)[turn % len(SEARCHES)], 1 + turn // len(SEARCHES) % 2
                self._struck_to_the_end(name, workers, f"{name}-{turn}", random.Random(f"{self._seed}/{turn}"))

        before = signal.signal(signal.SIGINT, lambda *_: self._end())
        with ThreadPoolExecutor(LANES) as pool:
            for lane in [pool.submit(strike_on) for _ in range(LANES)]:
                lane.result()
        signal.signal(signal.SIGINT, before)

    def _end(self) -> None:
        self._kills = 0

    def _struck_to_the_end(
        self, name: str, workers: int, study: str, draws: random.Random, strikes: int = MAX_STRIKES
    ) -> None:
        arguments = {**SEARCHES[name], "epochs": 6, "seed": 0, "study": study, "logs": str(self._folder)}
        arguments |= {"workers": workers, "in_process": False, "verbose": 0}
        database = self._folder / study / "trials.db"
        settled: dict[int, str] = {}
        for strike in range(strikes + 1):
            is_last = strike == strikes or sum(self.strikes.values()) >= self._kills
            kind = "" if is_last else draws.choice(STRIKES)
            if kind == "kill a worker" and any('"lost": 1' in text for text in _records(database).values()):
                kind = "kill the driver"  # a run that loses two workers has failed, as it should
            what = f"{study}, {workers} workers, strike {strike} ({kind or 'none'})"
            is_done = self._searched(arguments, kind, what, draws)
            now = {n: text for n, text in _records(database).items() if '"state": "RUNNING"' not in text}
            self._check(settled.items() <= now.items(), f"{what}: a finished trial is lost or has changed")
            self._check(_is_sound(database), f"{what}: the database is damaged")
            settled = now
            if is_done:
                break
        self._compare(name, workers, study)

    def _searched(self, arguments: dict[str, Any], kind: str, what: str, draws: random.Random) -> bool:
        """Search, and strike; tell whether the search came to its end."""
        token = os.urandom(8).hex()
        environment = {"STORM": token, "STORM_EPOCH_SECONDS": str(EPOCH_SECONDS)}
        environment["STORM_TRACES"] = str(self._traces(token))
        driver = _FORKING.Process(target=_drive, args=(str(self._space), environment, arguments), daemon=False)
        with self._polling:
            driver.start()
        if kind:
            seconds = draws.uniform(0.05, self._longest_seconds / 2)  # what has been struck goes on, and is again
            if self._ended(driver, seconds) is None:
                self._strike(psutil.Process(driver.pid), kind, draws, token)
        exit_code = self._ended(driver, END_SECONDS)
        if exit_code is None:
            self._check(False, f"{what}: the search does not end; {self._doing(driver.pid, token)}")
            driver.kill()
            exit_code = self._ended(driver, END_SECONDS)
        end = time.monotonic() + ORPHAN_SECONDS
        while (left := _of(token)) and time.monotonic() < end:
            time.sleep(0.05)
        self._check(not left, f"{what}: left behind {[_described(p) for p in left]}")
        for process in left:
            with contextlib.suppress(psutil.Error):
                process.kill()
        ended = (0,) if kind in ("", "kill a worker") else (0, 130, -signal.SIGKILL, -signal.SIGTERM, -signal.SIGINT)
        self._check(exit_code in ended, f"{what}: exit code {exit_code}")
        return exit_code == 0

    def _ended(self, driver: Any, seconds: float) -> int | None:
        """Wait for the end of a process; return its exit code, None if it goes on.

        One thread at a time: whoever starts a process asks all others for their codes, and what two ask for at the same
        time one of them does not get.
        """
        end = time.monotonic() + seconds
        while True:
            with self._polling:
                exit_code: int | None = driver.exitcode
            if exit_code is not None or time.monotonic() >= end:
                return exit_code
            time.sleep(0.02)

    def _strike(self, driver: psutil.Process, kind: str, draws: random.Random, token: str) -> None:
        try:
            family = driver.children(recursive=True)
        except psutil.NoSuchProcess:  # done a moment ago
            return
        workers = [process for process in family if "tuning.executors.worker" in " ".join(_command(process))]
        with self._counting:
            self.n_workers += len(workers)
        if kind == "kill a worker":
            if not workers:
                return
            struck, number = [draws.choice(workers)], signal.SIGKILL
        elif kind in ("kill the job", "stop the job"):
            struck = list({driver, *family, *_of(token)})  # also what has lost its parent, as a control group's kill
            draws.shuffle(struck)
            number = signal.SIGKILL if kind == "kill the job" else signal.SIGTERM
        else:
            struck, number = [driver], signal.SIGINT if kind == "interrupt" else signal.SIGKILL
        with self._counting:
            self.strikes[kind] += 1
        for process in struck:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)
        if kind == "kill the job":
            _kill_all(token)

    def _traces(self, token: str) -> Path:
        return self._folder / f"{token}.traces"

    def _doing(self, driver: int, token: str) -> str:
        """Say what the processes of a search are doing."""
        for process in [psutil.Process(driver), *_of(token)]:
            if "sleep" not in _command(process)[:1]:
                process.send_signal(signal.SIGUSR1)
                time.sleep(0.5)
        return self._traces(token).read_text()

    def _compare(self, name: str, workers: int, study: str) -> None:
        """Compare a study that has come to its end with one that nobody has disturbed."""
        if name not in self._straight:
            arguments = {**SEARCHES[name], "epochs": 6, "seed": 0, "study": f"straight-{name}"}
            self._straight[name] = _outcome(
                tuning.search(str(self._space), logs=self._folder, verbose=0, **arguments).trials
            )
        try:
            trials = tuning.load(self._folder / study).trials
        except tuning.TuningError as error:
            self._check(False, f"{study}: {error}")
            return
        with self._counting:
            self.n_studies, self.n_trials = self.n_studies + 1, self.n_trials + len(trials)
        self._check([t.number for t in trials] == list(range(len(trials))), f"{study}: numbers are missing")
        for trial in trials:
            ended = trial.state in (State.COMPLETED, State.PRUNED)
            self._check(ended, f"{study}: trial {trial.number} is {trial.state.value}: {trial.error}")
        if workers == 1 or name == "random":
            self._check(_outcome(trials) == self._straight[name], f"{study}: differs from the undisturbed search")

    def _check(self, holds: bool, violation: str) -> None:
        if not holds:
            self.violations.append(violation)
            print(violation, file=sys.stderr, flush=True)


def _drive(space: str, environment: dict[str, str], arguments: dict[str, Any]) -> None:
    os.setsid()  # Ctrl-C ends the storm and strikes nobody
    os.environ.update(environment)
    faulthandler.register(signal.SIGUSR1, open(environment["STORM_TRACES"], "a"))  # noqa: SIM115
    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 2)
    with contextlib.suppress(KeyboardInterrupt):
        tuning.search(space, **arguments)
        return
    sys.exit(130)


def _of(token: str) -> list[psutil.Process]:
    """Return the processes that a driver has started, and those that they have."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get("STORM") == token and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def _kill_all(token: str) -> None:
    """Kill what is left of a search, as the kill of a control group does, which misses nothing that forks meanwhile.

    A look is not taken at one instant: what forks and is gone while the others are looked at hides its child. Such a
    child is seen by the next look, so that two that see nothing are enough, and a third one is for good measure.
    """
    n_empty = 0
    while n_empty < 3:
        forked = _of(token)
        n_empty = 0 if forked else n_empty + 1
        for process in forked:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def _described(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.Error):
        age_seconds = time.time() - process.create_time()
        return f"{' '.join(_command(process))[:60]!r}, {process.status()}, {age_seconds:.1f} s old, of {process.ppid()}"
    return "gone meanwhile"


def _records(database: Path) -> dict[int, str]:
    """Return each trial's record as it lies in the file, by number."""
    query = "SELECT number, value_json FROM trials JOIN trial_user_attributes USING (trial_id) WHERE key = 'tuning'"
    try:
        with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30)) as connection:
            return dict(connection.execute(query).fetchall())
    except sqlite3.OperationalError:  # not made yet
        return {}


def _is_sound(database: Path) -> bool:
    if not database.exists():
        return True
    with contextlib.closing(sqlite3.connect(database, timeout=30)) as connection:
        return connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def _outcome(trials: Iterable[Any]) -> list[str]:
    """Return what must be the same in every search with the same seed: all but times."""
    return [
        json.dumps(
            [t.number, t.state.name, t.score, dict(t.values), list(map(dict, t.curve.epochs))]
            + [[r.start, r.stop, r.until, dict(r.note)] for r in t.runs],
            sort_keys=True,
        )
        for t in trials
    ]


if __name__ == "__main__":
    sys.exit(main())
