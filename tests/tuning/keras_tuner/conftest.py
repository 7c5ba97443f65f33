"""Programs as people write them for KerasTuner, run in an empty folder."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tuning.records.trial import State

PROGRAMS = {path.stem: path for path in sorted((Path(__file__).parent / "programs").glob("s*.py"))}


@pytest.fixture
def tuners(tmp_path, monkeypatch):
    """KerasTuner with our driver behind `search`, in an empty folder, in one process; its own `search` raises."""
    import tuning.keras_tuner as kt
    from tuning.keras_tuner import switch

    def refuse(*_, **__):
        raise AssertionError("KerasTuner's own search was called")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TUNE_WORKERS", "1")
    kt.install()
    monkeypatch.setitem(switch._genuine, "search", refuse)
    return kt


@pytest.fixture
def made(tuners):
    """Make a tuner that asks for two trials, of a model that takes no time unless it is given another."""
    from tests.tuning.keras_tuner.searches import build

    def make(hypermodel=build, kind="RandomSearch", project="p", **options):
        if kind in ("RandomSearch", "BayesianOptimization"):
            options.setdefault("max_trials", 2)
        options = {"objective": "val_loss", "seed": 1, **options}
        return getattr(tuners, kind)(hypermodel, directory="out", project_name=project, **options)

    return make


def studies(folder):
    """Return the study of each project in a folder, with the number of trials that KerasTuner's own files tell of."""
    import tuning

    found = {}
    for oracle in sorted(Path(folder).glob("*/oracle.json")):
        trials = json.loads(oracle.read_text())["start_order"]
        found[oracle.parent.name] = (tuning.load(oracle.parent), len(trials))
    return found


def run_python(*arguments, folder, **environment):
    """Run a program in a folder, in a process of its own; fail with what it wrote where it fails."""
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done


def is_ours(tuner):
    """Check that the last search of a tuner was ours: its study knows as many trials, with the same scores."""
    study = studies("out")[tuner.project_name][0]
    trials = tuner.oracle.trials
    assert len(study.trials) == len(trials) > 0
    for trial in study.trials:
        theirs = trials[trial.runs[-1].note["trial"]]
        assert (trial.state is State.COMPLETED) == (theirs.status == "COMPLETED")
        assert theirs.score is None or trial.score == pytest.approx(theirs.score)
