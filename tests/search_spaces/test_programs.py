"""Every kind of Keras program is searched as it is: two engines, resumed, its best model made again, in a worker too.

What a trial records is what plain Keras gives with the trial's seed, whether its epochs are compiled or not.
"""

import keras
import numpy as np
import pytest

import tuning
from tests.search_spaces.programs.table import PROGRAMS
from tuning.data import Data
from tuning.driver.seeds import seed_of_trial
from tuning.records.trial import State
from tuning.space import HyperParameters, as_space
from tuning.training.fit import fit_space

ALWAYS = ("vae", "outputs", "windows")
"""The others take more seconds than the default run has."""
KINDS = [pytest.param(kind, marks=() if kind in ALWAYS else pytest.mark.slow) for kind in PROGRAMS]
EPOCHS = 2


def searched(program, logs, **options):
    arguments = {"objective": program.objective, "epochs": EPOCHS, "seed": 3, "logs": logs, "engine": "random"}
    return tuning.search(program.space, **{**program.given, **arguments, **options})


def plain(program, trial, study):
    """Return what the objective is in each epoch of a plain training with the trial's values and seed."""
    space = as_space(program.space)
    given = dict(program.given)
    data = Data(*(given.pop(name, None) for name in ("x", "y", "validation_data", "sample_weight"))).fresh()
    keras.utils.set_random_seed(seed_of_trial(study.definition.seed, trial.number))
    hp = HyperParameters(trial.values)
    model = space.build(hp)
    callbacks, measured = given.pop("callbacks", []), []
    record = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: measured.append(dict(logs)))
    fit_space(space, hp, model, data, [*callbacks, record], compiled=False, epochs=EPOCHS, initial_epoch=0, **given)
    return [epoch[study.objective.name] for epoch in measured]


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_searched_resumed_and_its_best_model_has_its_score(kind, tmp_path):
    program = PROGRAMS[kind](tmp_path / "files")
    study = searched(program, tmp_path, trials=1)
    study = searched(program, tmp_path, trials=2)
    assert [trial.state for trial in study.trials] == [State.COMPLETED] * 2
    assert all(trial.compiled is True for trial in study.trials) or not program.compiles
    assert study.best_model().weights
    if program.evaluates:
        known = study.evaluate()[study.objective.name.removeprefix("val_")]
        assert known == pytest.approx(study.best.score, rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("kind", PROGRAMS)
def test_what_is_recorded_is_what_plain_keras_gives(kind, tmp_path):
    program = PROGRAMS[kind](tmp_path / "files")
    in_order = {} if "shuffle" in program.given else {"shuffle": False}
    program.given.update(in_order)
    name = program.objective.partition(":")[0]
    for compiled in (True, False):
        if compiled and program.draws:
            continue
        study = searched(program, tmp_path / str(compiled), trials=1, compiled=compiled)
        trial = study.trials[0]
        known = plain(program, trial, study)
        assert trial.curve.values(name) == pytest.approx(known, rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("kind", PROGRAMS)
def test_another_engine_trains_it_in_a_worker(kind, tmp_path):
    program = PROGRAMS[kind](tmp_path / "files")
    study = searched(program, tmp_path, trials=2, engine="hyperband", in_process=False)
    assert {trial.state for trial in study.trials} == {State.COMPLETED}
    assert np.isfinite(study.best.score) and study.best_model().weights
