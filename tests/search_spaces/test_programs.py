"""Every kind of Keras program is searched as it is: two engines, resumed, its best model made again, in a worker too.

What a trial records is what plain Keras gives with the trial's seed, whether its epochs are compiled or not.
"""

import keras
import pytest

import tuning
from tests.search_spaces.programs.table import PROGRAMS
from tuning.data import Data
from tuning.driver import run
from tuning.driver.seeds import seed_of_trial
from tuning.executors.processes import ProcessExecutor
from tuning.records.trial import State
from tuning.space import HyperParameters, as_space

ALWAYS = ("windows",)
"""The others take more seconds than the default run has."""
KINDS = [pytest.param(kind, marks=() if kind in ALWAYS else pytest.mark.slow) for kind in PROGRAMS]
EPOCHS = 2


def searched(program, logs, **options):
    arguments = {"objective": program.objective, "epochs": EPOCHS, "seed": 3, "logs": logs, "engine": "random"}
    return tuning.search(program.space, **{**program.given, **arguments, **options})


def plain(program, trial, study):
    """Return what the objective is in each epoch when Keras alone trains with the trial's values and seed.

    It does so eagerly, which spares the test a third of its time.
    """
    space = as_space(program.space)
    given = dict(program.given)
    data = Data(*(given.pop(name, None) for name in ("x", "y", "validation_data", "sample_weight"))).fresh()
    keras.utils.set_random_seed(seed_of_trial(study.definition.seed, trial.number))
    hp = HyperParameters(trial.values)
    model = space.build(hp)
    model.run_eagerly = True
    measured = []
    record = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: measured.append(dict(logs)))
    given |= {"callbacks": [*given.pop("callbacks", []), record], "epochs": EPOCHS, "initial_epoch": 0, "verbose": 0}
    if data.validation is not None:
        given["validation_data"] = data.validation
    if data.sample_weight is not None:
        given["sample_weight"] = data.sample_weight
    space.fit(hp, model, *(part for part in (data.x, data.y) if part is not None), **given)
    return [epoch[study.objective.name] for epoch in measured]


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_it_is_searched_and_resumed_and_records_what_plain_keras_gives(kind, tmp_path):
    program = PROGRAMS[kind](tmp_path / "files")
    program.given.setdefault("shuffle", False)
    study = searched(program, tmp_path, trials=1)
    study = searched(program, tmp_path, trials=2, compiled=False)
    assert [trial.state for trial in study.trials] == [State.COMPLETED] * 2
    assert study.trials[0].compiled is True or not program.compiles
    for trial in study.trials:
        if not (trial.compiled and program.draws):
            known = plain(program, trial, study)
            assert trial.curve.values(study.objective.name) == pytest.approx(known, rel=1e-5)
    assert study.best_model().weights
    if program.evaluates:
        known = study.evaluate()[study.objective.name.removeprefix("val_")]
        assert known == pytest.approx(study.best.score, rel=1e-5)


@pytest.fixture(scope="module")
def worker():
    """A worker process that one search after the other trains in, which spares each the import of TensorFlow."""

    class Lasting(ProcessExecutor):
        def close(self):
            pass

    executor = Lasting(1, ("keras",))
    yield executor
    ProcessExecutor.close(executor)


@pytest.mark.slow
@pytest.mark.parametrize("kind", PROGRAMS)
def test_another_engine_trains_it_in_a_worker(kind, worker, tmp_path, monkeypatch):
    monkeypatch.setattr(run, "executor_for", lambda request: worker)
    program = PROGRAMS[kind](tmp_path / "files")
    study = searched(program, tmp_path, trials=2, engine="hyperband", in_process=False)
    assert {trial.state for trial in study.trials} == {State.COMPLETED}
    assert study.best_model().weights
