"""Programs as people write them for KerasTuner: with our driver they end as they do without it."""

import runpy

import pytest

from tests.tuning.keras_tuner.conftest import PROGRAMS, run_python, studies
from tuning.records.trial import State

QUICK = ("s04_black_box", "s22_oracle", "s14_epochs_and_batches")
"""Programs that take a second or two."""

NOT_COMPILED = {"s08_strategy": "XLA is slow at convolutions", "s19_datasets": "steps_per_epoch"}
"""Programs whose epochs Keras runs, and why."""

TRAIN_NOTHING = ("s04_black_box", "s22_oracle", "s09_own_loop", "s21_fit_with_loop", "s18_sklearn", "flaky")
"""Programs, or projects of one, that never call `model.fit`."""

IN_WORKERS = ("s04_black_box", "s06_grid_and_failures", "s10_hyperband", "s16_sets_arguments", "s23_private_methods")


def each(programs):
    return [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in programs]


def test_all_situations_have_a_program():
    assert [name[:3] for name in PROGRAMS] == [f"s{number:02}" for number in range(1, 24)]


@pytest.mark.medium
@pytest.mark.parametrize("name", each(PROGRAMS))
def test_a_program_leaves_a_study_with_every_trial_and_compiled_epochs(tuners, name):
    runpy.run_path(str(PROGRAMS[name]), run_name="__main__")
    ours_searched(name, "out")


def ours_searched(name, folder):
    """Check that each project that a program has left is a study of ours with as many trials, in compiled epochs."""
    found = studies(folder)
    assert found
    for project, (study, n_trials) in found.items():
        assert len(study.trials) == n_trials, project
        for trial in study.trials:
            if trial.state is State.FAILED or {name, project} & {*TRAIN_NOTHING}:
                continue
            assert trial.compiled == (name not in NOT_COMPILED), trial.compiled_reason
            assert NOT_COMPILED.get(name, "") in (trial.compiled_reason or "")


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_ends_under_keras_tuner_alone(name, tmp_path):
    run_python(PROGRAMS[name], folder=tmp_path)
    assert not list(tmp_path.glob("out/*/trials.db"))


def switched_on(way, text):
    """Return the arguments of Python that run a program's text in one of the ways of switching on, and its text."""
    if way == "import":
        legacy = text.replace("from kerastuner.", "from tuning.keras_tuner.")
        legacy = legacy.replace("import kerastuner", "import tuning.keras_tuner as kerastuner")
        return ["program.py"], legacy.replace("import keras_tuner as kt", "import tuning.keras_tuner as kt")
    if way == "install":
        return ["program.py"], f"import tuning.keras_tuner\n\ntuning.keras_tuner.install()\n{text}"
    return [
        *{"command": ["-m", "tuning.cli", "keras-tuner"], "module": ["-m", "tuning.keras_tuner"]}[way],
        "program.py",
    ], text


def runs_switched_on(name, way, workers, folder):
    arguments, text = switched_on(way, PROGRAMS[name].read_text(encoding="utf-8"))
    (folder / "program.py").write_text(text, encoding="utf-8")
    run_python(*arguments, folder=folder, TUNE_WORKERS=workers)
    ours_searched(name, folder / "out")


@pytest.mark.exhaustive
@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("way", ["command", "import", "install"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_runs_in_every_way_of_switching_on(name, way, workers, tmp_path):
    runs_switched_on(name, way, workers, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("way", ["import", "module"])
def test_a_program_runs_switched_on(way, tmp_path):
    runs_switched_on("s02_hypermodel_fit", way, "1", tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", IN_WORKERS)
def test_a_program_runs_in_two_worker_processes(name, tmp_path):
    runs_switched_on(name, "command", "2", tmp_path)
