"""Programs as people write them for KerasTuner: with our driver they end as they do without it."""

import runpy

import pytest

from tests.tuning.keras_tuner.conftest import PROGRAMS, run_python, studies
from tuning.records.trial import State

QUICK = ("s04_black_box", "s22_oracle", "s14_epochs_and_batches")
"""Programs that take a second or two."""

NOT_COMPILED = {"s08_strategy": "XLA is slow at convolutions", "s19_datasets": "steps_per_epoch"}
"""Programs whose epochs Keras runs, and why."""

TRAIN_NOTHING = ("s04_black_box", "s22_oracle", "s09_own_loop", "s21_fit_with_loop", "s18_sklearn")
"""Programs that never call `model.fit`."""

IN_WORKERS = ("s04_black_box", "s06_grid_and_failures", "s10_hyperband", "s16_sets_arguments", "s23_private_methods")


def each(programs):
    return [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in programs]


def test_all_situations_have_a_program():
    assert [name[:3] for name in PROGRAMS] == [f"s{number:02}" for number in range(1, 24)]


@pytest.mark.parametrize("name", each(PROGRAMS))
def test_a_program_leaves_a_study_with_every_trial_and_compiled_epochs(tuners, name, tmp_path):
    runpy.run_path(str(PROGRAMS[name]), run_name="__main__")
    found = studies("out")
    assert found
    for project, (study, n_trials) in found.items():
        assert len(study.trials) == n_trials, project
        for trial in study.trials:
            if trial.state is State.FAILED or name in TRAIN_NOTHING:
                continue
            assert trial.compiled == (name not in NOT_COMPILED), trial.compiled_reason
            assert NOT_COMPILED.get(name, "") in (trial.compiled_reason or "")


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_ends_under_keras_tuner_alone(name, tmp_path):
    run_python(PROGRAMS[name], folder=tmp_path)
    assert not list(tmp_path.glob("out/*/trials.db"))


@pytest.mark.exhaustive
@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_runs_as_it_is_by_the_command(name, workers, tmp_path):
    run_python("-m", "tuning.keras_tuner", PROGRAMS[name], folder=tmp_path, TUNE_WORKERS=workers)
    assert studies(tmp_path / "out")


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_program_runs_with_another_import(workers, tmp_path):
    text = PROGRAMS["s02_hypermodel_fit"].read_text().replace("import keras_tuner", "import tuning.keras_tuner")
    (tmp_path / "program.py").write_text(text)
    run_python("program.py", folder=tmp_path, TUNE_WORKERS=workers)
    ((study, n_trials),) = studies(tmp_path / "out").values()
    assert len(study.trials) == n_trials == 3


@pytest.mark.slow
@pytest.mark.parametrize("name", IN_WORKERS)
def test_a_program_runs_in_two_worker_processes(name, tmp_path):
    run_python("-m", "tuning.keras_tuner", PROGRAMS[name], folder=tmp_path, TUNE_WORKERS="2")
    for study, n_trials in studies(tmp_path / "out").values():
        assert len(study.trials) == n_trials
