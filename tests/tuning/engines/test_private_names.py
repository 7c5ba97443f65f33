"""Names that a release of a third party may move: without one a search is refused, and the error names the version."""

import importlib
import sys
from importlib.metadata import version
from pathlib import Path

import optuna
import pytest
import sklearn
from optuna import pruners, samplers

import tuning
from tests.conftest import SPACES
from tuning.engines.grid import scikit_learn
from tuning.engines.keras_tuner import engine as keras_tuner
from tuning.engines.keras_tuner import private as keras_tuner_private
from tuning.engines.optuna import private as optuna_private
from tuning.errors import MovedError
from tuning.hyperparameters import Float
from tuning.records.objective import Objective

CURVE = str(SPACES / "curve.py")
ENGINES = Path(__file__).parents[3] / "tuning" / "engines"


SPACE = [Float("a", default=0.5, low=0.0, high=1.0)]
LOSS = Objective("val_loss", "min")
ORACLES = {
    "Oracle": lambda: keras_tuner.random_search(SPACE, LOSS, 1, 2, 3)._oracle,
    "HyperbandOracle": lambda: keras_tuner.hyperband(SPACE, LOSS, 1, 4, None, None, 3, 1)._oracle,
    "BayesianOptimizationOracle": lambda: keras_tuner.bayesian(SPACE, LOSS, 1, 2, 3, 1e-4, 2.6, None)._oracle,
}


@pytest.mark.parametrize(
    "kind, name", [(kind, name) for kind, names in keras_tuner_private._NEEDED.items() for name in names]
)
def test_a_name_of_keras_tuner_that_is_gone_is_named_with_the_version(kind, name, monkeypatch):
    oracle = ORACLES[kind]()
    assert keras_tuner_private.checked(oracle) is oracle
    (home,) = {c for c in type(oracle).__mro__ if c.__name__ == kind and c.__module__.startswith("keras_tuner")}
    if name in vars(home):
        monkeypatch.delattr(home, name)
    else:
        delattr(oracle, name)
    with pytest.raises(MovedError, match=rf"keras-tuner {version('keras-tuner')} has no {kind}.{name}, .*Install"):
        keras_tuner_private.checked(oracle)


def test_nothing_is_stored_of_a_search_whose_oracle_cannot_be_steered(tmp_path, monkeypatch):
    monkeypatch.delattr(keras_tuner_private.keras_tuner.Oracle, "_duplicate")
    with pytest.raises(MovedError, match="Oracle._duplicate"):
        tuning.search(CURVE, engine="random", trials=2, epochs=2, seed=1, logs=tmp_path, study="s")
    assert not list(tmp_path.iterdir())


def test_a_search_of_scikit_learn_that_evaluates_otherwise_is_refused():
    class Renamed:
        pass

    with pytest.raises(MovedError, match=rf"scikit-learn {sklearn.__version__} has no Renamed._run_search"):
        scikit_learn.replayed(Renamed)


def test_a_sampler_without_its_generator_is_refused(monkeypatch):
    sampler = samplers.RandomSampler()
    optuna_private.reseed(sampler, "1")
    del sampler._rng
    with pytest.raises(MovedError, match=rf"optuna {optuna.__version__} has no random generator in RandomSampler"):
        optuna_private.reseed(sampler, "1")


def test_a_sampler_of_a_person_s_own_need_not_have_one():
    class Own:
        pass

    optuna_private.reseed(Own(), "1")


@pytest.mark.parametrize("name", samplers.__all__)
def test_every_sampler_of_optuna_has_a_generator_where_it_is_looked_for(name):
    kind = getattr(samplers, name)
    given = {"GridSampler": ({"a": [1]},), "PartialFixedSampler": ({}, samplers.RandomSampler())}
    if not isinstance(kind, type) or name == "BaseSampler" or getattr(kind, "__abstractmethods__", None):
        return
    try:
        sampler = kind(*given.get(name, ()))
    except ImportError as error:
        pytest.skip(str(error))
    optuna_private.reseed(sampler, "1")


@pytest.mark.parametrize(
    "thing, call, named",
    [
        (samplers.GridSampler({"a": [1]}), lambda s: optuna_private.is_in_grid(s, "a"), "GridSampler._search_space"),
        (samplers.QMCSampler(seed=1), lambda s: optuna_private.set_sequence(s, 1), "QMCSampler._seed"),
        (pruners.PatientPruner(None, 1), optuna_private.wrapped_pruner, "PatientPruner._wrapped_pruner"),
        (optuna.create_study(), optuna_private.storage_of, "Study._storage"),
    ],
)
def test_an_attribute_of_optuna_that_is_gone_is_named(thing, call, named):
    call(thing)
    delattr(thing, named.partition(".")[2])
    with pytest.raises(MovedError, match=f"optuna {optuna.__version__} has no {named}"):
        call(thing)


def test_without_the_lazy_state_the_engine_is_refused_when_it_is_imported(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna.samplers._lazy_random_state", None)
    monkeypatch.delitem(sys.modules, "tuning.engines.optuna.private")
    with pytest.raises(MovedError, match="has no optuna.samplers._lazy_random_state.LazyRandomState"):
        importlib.import_module("tuning.engines.optuna.private")


def test_private_names_are_known_to_their_homes_alone():
    names = {n for ns in keras_tuner_private._NEEDED.values() for n in ns if n.startswith("_")}
    names |= {"_run_search", "_lazy_random_state", "_search_space", "_wrapped_pruner"}
    homes = {"private.py", "scikit_learn.py"}
    for path in ENGINES.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert path.name in homes or not [name for name in names if f".{name}" in text], path.name
