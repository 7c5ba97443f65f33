"""A model that has changed is noticed, and one that has not is never taken for another."""

import functools
import os
import subprocess
import sys

import numpy as np
import pytest

import tuning
from tests.conftest import ROOT
from tuning.errors import StudyError
from tuning.preflight.fingerprint import digest_of_code, fingerprint_of
from tuning.records.fingerprint import differences
from tuning.space import as_space


def code(text, name="f"):
    space = {}
    exec(text, space)
    return digest_of_code(space[name])


def test_code_is_what_is_executed():
    first = code("def f(x):\n    return x + 1")
    assert first == code("\n\n# a comment\ndef f(x):\n    'A docstring.'\n    return x + 1  # another")
    for other in ("def f(x):\n return x + 2", "def f(x):\n return x - 1", "def f(x, y=3):\n return x + 1"):
        assert code(other) != first
    assert code("def f(x, y=3):\n return x") != code("def f(x, y=4):\n return x")
    assert code("f = lambda x: 'a'") != code("f = lambda x: 'b'")
    inner = "def f(x):\n def g():\n  return {}\n return g"
    assert code(inner.format("1")) == code(inner.format("1")) != code(inner.format("2"))


def test_code_of_methods_partials_and_callables_is_found_and_that_of_packages_is_not():
    class Callable:
        def __call__(self, hp):
            return hp

    def function(hp, more):
        return hp

    assert digest_of_code(Callable()) == digest_of_code(Callable.__call__) is not None
    assert digest_of_code(functools.partial(function, more=1)) == digest_of_code(function) is not None
    assert digest_of_code(tuning.SearchSpace("s").fit) is digest_of_code(len) is digest_of_code(None) is None


def test_numbers_that_differ_by_rounding_are_the_same_and_other_versions_are_not_compared():
    mine = {"model": {"rate": 0.1}, "code": {"fit": "a"}, "versions": {"python": "3.12", "keras": "3.11"}}
    assert differences(mine, {**mine, "model": {"rate": 0.1 + 1e-9}}) == []
    assert differences(mine, {**mine, "model": {"rate": 0.2}}) == ["model rate is 0.1, in the study 0.2"]
    assert differences(mine, {**mine, "code": {"fit": "b"}}) == ["the code of fit has changed"]
    assert differences(mine, {}) == differences({}, mine) == []
    later = {"model": {"rate": 7}, "code": {"fit": "b"}, "versions": {"python": "3.13", "keras": "3.12"}}
    assert differences(mine, later) == []
    many = {**mine, "model": {f"layers[{i}].units": i for i in range(20)}}
    assert differences(mine, many)[-1] == "17 more of the model"


FROZEN = """
import sys
from tests.tuning.preflight.test_fingerprint import digest_of_code
def f(x):
    return x in {"a", "b", "c", "d", "e"}
print(digest_of_code(f))
"""


@pytest.mark.medium
def test_it_is_the_same_in_every_process():
    found = {
        subprocess.run([sys.executable, "-c", FROZEN], cwd=ROOT, check=True, capture_output=True, text=True,
                       env={**os.environ, "PYTHONHASHSEED": seed}).stdout
        for seed in ("1", "2", "3")
    }  # fmt: skip
    assert len(found) == 1


class Formula(tuning.SearchSpace):
    name = "formula"

    def build(self, hp):
        return hp.Float("a", 0, 1)

    def fit(self, hp, model, x, **_):
        return model

    def load_data(self):
        return tuning.Data(np.arange(3.0))


class Changed(Formula):
    def fit(self, hp, model, x, **_):
        return model * 2


@pytest.mark.medium
def test_a_study_is_refused_when_the_code_of_fit_has_changed(tmp_path):
    given = {"engine": "random", "trials": 2, "epochs": 1, "seed": 0, "logs": tmp_path, "verbose": 0}
    first = tuning.search(Formula(), **given)
    with pytest.raises(StudyError, match=r"the code of fit has changed.*another study name.*overwrite=True"):
        tuning.search(Changed(), **given)
    assert tuning.search(Formula(), **given).best.score == first.best.score
    assert tuning.search(Changed(), overwrite=True, **given).best.score == 2 * first.best.score


def build_model(hp, units=4, activation="relu", rate=0.1, loss="mse", named=None):
    import keras

    layers = [keras.layers.Dense(units, activation=activation), keras.layers.Dropout(0.2), keras.layers.Dense(1)]
    model = keras.Sequential([keras.Input((3,)), *layers], name=named)
    model.compile(keras.optimizers.SGD(rate), loss, metrics=["mae"])
    return model


def functional(hp):
    import keras

    inputs = keras.Input((3,))
    hidden = keras.layers.Dense(4)(inputs)
    model = keras.Model(inputs, keras.layers.Concatenate()([hidden, inputs]))
    model.compile("adam", keras.losses.Huber(), metrics=[lambda y, p: 0.0])
    return model


def found(build, **changes):
    build = functools.partial(build, **changes)
    return fingerprint_of(as_space(build), build(None), True)


def test_models_are_told_apart_by_what_they_are():
    first = found(build_model)
    for changes, says in [
        ({"units": 5}, "layers[1].units is 5, in the study 4"),
        ({"activation": "selu"}, "model layers[1].activation is selu, in the study relu"),
        ({"rate": 0.2}, "compile optimizer.learning_rate is 0.2, in the study 0.1"),
        ({"loss": "mae"}, "compile loss is mae, in the study mse"),
    ]:
        assert says in "; ".join(differences(found(build_model, **changes), first)), changes


@pytest.mark.medium
@pytest.mark.parametrize("build", [build_model, functional])
def test_names_and_their_counters_are_no_difference(build):
    first = found(build)
    assert differences(found(build), first) == []
    if build is build_model:
        assert differences(found(build, named="other"), first) == []
