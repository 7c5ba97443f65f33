"""Programs as people write them for KerasTuner: with our driver they end as they do without it."""

import functools
import runpy

import pytest

from tests.layers import few
from tests.tuning.keras_tuner.conftest import PROGRAMS, run_python, studies
from tests.tuning.keras_tuner.forks import Forks, outcome, switched_on
from tuning.records.trial import State

QUICK = ("s04_black_box", "s22_oracle", "s14_epochs_and_batches")
"""Programs that take a second or two."""

NOT_COMPILED = {"s08_strategy": "a distribution strategy is set"}
"""Programs whose epochs Keras runs, and why."""

TRAIN_NOTHING = ("s04_black_box", "s22_oracle", "s09_own_loop", "s21_fit_with_loop", "s18_sklearn", "flaky")
"""Programs, or projects of one, that never call `model.fit`."""

IN_WORKERS = ("s04_black_box", "s06_grid_and_failures", "s10_hyperband", "s16_sets_arguments", "s23_private_methods")


def test_all_situations_have_a_program():
    assert [name[:3] for name in PROGRAMS] == [f"s{number:02}" for number in range(1, 24)]


@pytest.mark.medium
@pytest.mark.parametrize("name", few(QUICK))
def test_a_program_leaves_a_study_with_every_trial_and_compiled_epochs(tuners, name):
    runpy.run_path(str(PROGRAMS[name]), run_name="__main__")
    ours_searched(name, "out")


def ours_searched(name, folder):
    """Check that each project that a program has left is a study of ours with as many trials, in compiled epochs."""
    found = studies(folder)
    assert found
    for project, (study, n_trials) in found.items():
        assert len(study.trials) == n_trials, project
        shown = {int(path.name.removeprefix("trial_")) for path in study.path.glob("tensorboard/trial_*")}
        assert shown == {trial.number for trial in study.trials}, "what is shown is what there is"
        assert not list(study.path.glob("tensorboard/**/running"))
        for trial in study.trials:
            if trial.state is State.FAILED or {name, project} & {*TRAIN_NOTHING}:
                continue
            assert trial.compiled == (name not in NOT_COMPILED), trial.compiled_reason
            assert NOT_COMPILED.get(name, "") in (trial.compiled_reason or "")


@pytest.fixture(scope="module")
def forks(tmp_path_factory):
    made = Forks(tmp_path_factory.mktemp("xla"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def alone(forks, tmp_path_factory):
    """Return what a program comes to under KerasTuner alone, which runs once."""

    @functools.cache
    def run(name):
        folder = tmp_path_factory.mktemp(name)
        forks.run(folder, PROGRAMS[name].read_text(encoding="utf-8"))
        assert not list(folder.glob("out/*/trials.db"))
        return outcome(folder)

    return run


@pytest.mark.exhaustive
@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("way", ["command", "import", "install"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_comes_in_every_way_to_what_it_comes_to_alone(forks, alone, name, way, workers, tmp_path):
    expected = alone(name)
    forks.run(tmp_path, PROGRAMS[name].read_text(encoding="utf-8"), way, workers)
    ours_searched(name, tmp_path / "out")
    found = outcome(tmp_path)
    assert found.keys() == expected.keys()
    for project, trials in expected.items():
        assert is_alike(found[project], trials, workers == 1), f"{project}: {found[project]}, alone {trials}"


def is_alike(ours, theirs, same_values):
    """Tell whether two outcomes of a project have the same trials, in the same states and with the same metrics.

    Args:
        ours, theirs: of `outcome`.
        same_values: whether they have been proposed the same values, too.
    """
    if same_values and drawn(ours) != drawn(theirs):
        return False
    return sorted(map(repr, (t[1:] for t in ours.values()))) == sorted(map(repr, (t[1:] for t in theirs.values())))


def drawn(trials):
    """Return the values of an outcome's trials that do not depend on scores, which weights at random decide."""
    return {i: values for i, (values, *_) in trials.items() if not values.get("tuner/round")}


def runs_switched_on(name, way, workers, folder):
    """Run a program as a user does, everything imported anew."""
    before = {"import": [], "module": ["-m", "tuning.keras_tuner"], "command": ["-m", "tuning.cli", "keras-tuner"]}[way]
    (folder / "program.py").write_text(switched_on(way, PROGRAMS[name].read_text(encoding="utf-8")), encoding="utf-8")
    run_python(*before, "program.py", folder=folder, TUNE_WORKERS=workers)
    ours_searched(name, folder / "out")


@pytest.mark.slow
@pytest.mark.parametrize("way", ["import", "module"])
def test_a_program_runs_switched_on(way, tmp_path):
    runs_switched_on("s02_hypermodel_fit", way, "1", tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", IN_WORKERS)
def test_a_program_runs_in_two_worker_processes(name, tmp_path):
    runs_switched_on(name, "command", "2", tmp_path)
