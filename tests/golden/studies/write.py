"""Write the golden studies: as a version of this project leaves them behind, finished or killed in the middle.

They were written by commit 3543749, whose records have version 1 and know no trainings but parts:

    PYTHONPATH=/path/to/a/checkout/of/that/commit python tests/golden/studies/write.py

run in the repository's root, where the space of the studies is found again by its relative path. Each folder has the
database in a single file, and `whole.json`: what an uninterrupted search of that version came to. Studies of a later
version get names of their own; those that are there are never written again.
"""

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
SPACE = "tests/golden/studies/formula.py"

ARGUMENTS = {
    "random": {"engine": "random", "trials": 8},
    "random-finished": {"engine": "random", "trials": 8},
    "hyperband": {"engine": "hyperband", "epochs": 9},
    "hyperband-finished": {"engine": "hyperband", "epochs": 9},
    "bayesian": {"engine": "bayesian", "trials": 8, "options": {"num_initial_points": 4}},
    "optuna": {"engine": "optuna", "trials": 10, "options": {"n_startup_trials": 4, "warmup_trials": 2}, "epochs": 5},
    "grid": {"engine": "grid", "options": {"levels": 2}, "cv": 2, "fix": {"step": 0.2, "k": "x"}},
    "halving": {
        "engine": "grid",
        "options": {"search": "halving-grid", "levels": 2},
        "cv": 2,
        "epochs": 9,
        "fix": {"a": 0.3, "step": 0.2},
    },
    "folds": {"engine": "random", "trials": 5, "cv": 3},
    "folds-finished": {"engine": "hyperband", "cv": 3},
    "repeats": {"engine": "hyperband", "repeats": 2},
    "folds-repeats": {"engine": "bayesian", "trials": 5, "cv": 2, "repeats": 2},
    "objectives": {"engine": "optuna", "trials": 8, "objective": ["val_loss", "val_size:max"]},
    "tries": {"engine": "random", "trials": 6, "tries": [{"a": 0.3, "b": 1}, {"a": 0.9, "b": 9, "k": "z"}]},
}
"""Of `tuning.search`, by the study's name. What is not given is that of `DEFAULTS`."""

DEFAULTS = {"seed": 7, "epochs": 4}

KILLED = {
    "random": 18, "hyperband": 27, "bayesian": 22, "optuna": 26, "grid": 18, "halving": 14, "folds": 29, "repeats": 21,
    "folds-repeats": 35, "objectives": 18, "tries": 14,
}  # fmt: skip
"""Epochs that a training has reported when the process of its search is killed; the others are finished."""


def search(name, logs, killed=None):
    """Search a study, up to an epoch or to its end."""
    import tuning

    class Killer(tuning.Observer):
        heard = 0

        def count(self):
            self.heard += 1
            if self.heard == killed:
                os.kill(os.getpid(), signal.SIGKILL)

        def epoch_ended(self, trial):
            if not trial.parts:
                self.count()

        def part_epoch_ended(self, trial, part):
            self.count()

    observers = [] if killed is None else [Killer()]
    return tuning.search(SPACE, study=name, logs=logs, observers=observers, **{**DEFAULTS, **ARGUMENTS[name]})


def whole(study):
    """Return what must be the same in every search: all but times and places in the order of events."""
    return [
        {
            "number": t.number,
            "state": t.state.value,
            "score": t.score,
            "best_epoch": t.best_epoch,
            "values": dict(t.values),
            "error": t.error,
            "scores": list(t.scores),
            "part_scores": list(t.part_scores),
            "runs": [[r.start, r.stop, r.until, dict(r.note)] for r in t.runs],
            "curve": [dict(epoch) for epoch in t.curve.epochs],
            "parts": [[dict(epoch) for epoch in part.curve.epochs] for part in t.parts],
            "found": list(t.found),
        }
        for t in study.trials
    ]


def write(name):
    """Write one study."""
    with tempfile.TemporaryDirectory() as folder:
        study = search(name, folder)
        expected = whole(study)
        if name in KILLED:
            study = None
            command = [sys.executable, __file__, name, f"{folder}/killed"]
            status = subprocess.run(command, check=False).returncode
            if status != -signal.SIGKILL:
                raise RuntimeError(f"{name} has not been killed, but ended with {status}")
        database = Path(folder, "killed" if name in KILLED else "", name, "trials.db")
        with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        target = HERE / name
        target.mkdir()
        (target / "trials.db").write_bytes(database.read_bytes())
    lines = ",\n".join(json.dumps(trial) for trial in expected)
    (target / "whole.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")


def main():
    """Write all studies that are not there yet, or be the process that is killed."""
    if len(sys.argv) > 1:
        search(sys.argv[1], sys.argv[2], KILLED[sys.argv[1]])
        return
    for name in ARGUMENTS:
        if not (HERE / name).exists():
            write(name)
            print(name)


if __name__ == "__main__":
    main()
