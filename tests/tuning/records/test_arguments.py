"""What a study remembers of an argument: equal for equal arguments, in every process, and another for others."""

import copy
import functools
import json
import logging
import os
import subprocess
import sys
import threading
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import ROOT
from tuning.records.arguments import differences, from_text, in_words, remembered, value_of


class Stop:
    """Keeps what it was made of, and things that are nobody's business."""

    def __init__(self, patience, schedule=None, inner=None):
        self.patience, self.schedule, self.inner = patience, schedule, inner
        self.lock, self.log, self._private = threading.Lock(), logging.getLogger("stop"), object()


class Configured:
    """Says itself what it is."""

    def __init__(self, rate):
        self.state, self.rate = object(), rate

    def get_config(self):
        return {"rate": self.rate, "name": "configured_3"}


def halved(epoch):
    return 0.5**epoch


def thirds(epoch):
    return 3.0**-epoch


PAIRS = {
    "number": (1, 2),
    "truth": (True, 1),
    "float": (0.5, float("nan")),
    "text": ("1", 1),
    "none": (None, "None"),
    "dict": ({0: 1.0, 1: 1.0}, {0: 1.0, 1: 50.0}),
    "keys": ({0: 1.0}, {"0": 1.0}),
    "set": ({"a", "b"}, {"a", "c"}),
    "array": (np.ones(3), np.full(3, 9.0)),
    "dtype": (np.ones(3), np.ones(3, "float32")),
    "shape": (np.ones(4), np.ones((2, 2))),
    "objects": (np.array(["a", None], object), np.array(["b", None], object)),
    "function": (halved, thirds),
    "partial": (functools.partial(halved, epoch=1), functools.partial(halved, epoch=2)),
    "class": (Stop, Configured),
    "path": (Path("a"), Path("b")),
    "callback": ([Stop(1)], [Stop(9)]),
    "callback's function": ([Stop(1, halved)], [Stop(1, thirds)]),
    "callback in a callback": ([Stop(1, inner=[Stop(2)])], [Stop(1, inner=[Stop(3)])]),
    "configuration": (Configured(0.1), Configured(0.2)),
    "length": ([1, 2], [1, 2, 3]),
    "nested": ({"a": [{"b": np.arange(3)}]}, {"a": [{"b": np.arange(1, 4)}]}),
}


def differing(one, other):
    return list(differences({"it": remembered(one)}, {"it": remembered(other)}))


@pytest.mark.parametrize("name", PAIRS)
def test_other_values_differ_and_equal_ones_do_not(name):
    one, other = PAIRS[name]
    assert not differing(one, copy_of(one)) and not differing(other, copy_of(other))
    assert len(differing(one, other)) == 1 or name in ("length", "dtype", "keys")
    assert differing(one, other) and differing(other, one)
    for mine, theirs in (differing(one, other)[0][1:], differing(other, one)[0][1:]):
        assert mine != theirs, "the message must show the difference"


def copy_of(value):
    """Return an equal value that is another object, where it can be copied."""
    try:
        return copy.deepcopy(value)
    except TypeError:  # it holds a lock
        return value


@pytest.mark.parametrize("name", PAIRS)
def test_it_is_json_and_has_neither_an_address_nor_a_local_name(name):
    for value in PAIRS[name]:
        form = remembered(value)
        assert json.loads(json.dumps(form, allow_nan=False)) == form
        assert "0x" not in in_words(form) and "<locals>" not in in_words(form)


def test_a_difference_is_named_where_it_is():
    mine = {"callbacks": remembered([Stop(1), Stop(9)]), "class_weight": remembered({0: 1.0, 1: 50.0})}
    theirs = {"callbacks": remembered([Stop(1), Stop(1)]), "class_weight": remembered({0: 1.0, 1: 1.0, 2: 1.0})}
    assert sorted(differences(mine, theirs)) == [
        ("callbacks[1].patience", "9", "1"),
        ("class_weight[1]", "50.0", "1.0"),
        ("class_weight[2]", "absent", "1.0"),
    ]
    assert list(differences({}, {"a": None})) == [("a", "absent", "None")]


def test_equal_meanings_are_equal():
    assert remembered(True) is True and remembered(np.bool_(True)) is True and remembered(False) is False
    assert remembered((1, 2)) == remembered([1, 2]) and remembered(np.float32(0.5)) == 0.5
    assert remembered({1: "a", 0: "b"}) == remembered({0: "b", 1: "a"})
    assert remembered(np.arange(6).reshape(2, 3).T) == remembered(np.ascontiguousarray(np.arange(6).reshape(2, 3).T))
    assert remembered({0: 1}) != remembered(OrderedDict({0: 1})), "of another type"


def test_local_functions_and_cycles():
    def local(epoch):
        return epoch

    cycle = Stop(1)
    cycle.inner = cycle
    assert "local" in in_words(remembered(local)) and "<locals>" not in in_words(remembered([local, lambda e: e]))
    assert remembered(cycle)["attributes"]["inner"] == {"kind": "object", "type": "Stop", "attributes": {}}
    assert remembered(iter([])) == remembered(iter([1])), "of what says nothing the type is all"


def test_values_can_be_made_again_where_all_of_them_is_known():
    for value in (1, "a", None, True, [1, [2.5]], {0: 1.0, "b": [None]}, {(1, 2): {"c": 3}}, {"a", "b"}):
        assert value_of(json.loads(json.dumps(remembered(value)))) == value
    assert np.isnan(value_of(remembered(float("nan"))))
    for value in (np.ones(3), halved, [Stop(1)], {"a": Stop(1)}):
        with pytest.raises(ValueError):
            value_of(remembered(value))


IN_ANOTHER_PROCESS = """
import json, logging
from tests.tuning.records import test_arguments as t
logging.getLogger("another"), logging.getLogger("stop").setLevel("ERROR")
print(json.dumps({name: [t.remembered(v) for v in pair] for name, pair in t.PAIRS.items()}))
"""


@pytest.mark.medium
def test_it_is_the_same_in_every_process():
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "7"}
    done = subprocess.run([sys.executable, "-c", IN_ANOTHER_PROCESS], env=environment, capture_output=True, text=True)
    assert json.loads(done.stdout) == {name: [remembered(v) for v in pair] for name, pair in PAIRS.items()}, done.stderr


def test_names_that_keras_has_counted_are_left_out():
    import keras

    weights = keras.initializers.Constant(0.5)
    made = [keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, kernel_initializer=weights)]) for _ in range(2)]
    assert remembered(made[0]) == remembered(made[1]) and made[0].name != made[1].name
    made[1].set_weights([w + 1 for w in made[1].get_weights()])
    assert [name for name, *_ in differing(*made)] == ["it.weights[0]", "it.weights[1]"]
    rates = [keras.optimizers.Adam(rate) for rate in (0.1, 0.1, 0.2)]
    assert remembered(rates[0]) == remembered(rates[1])
    assert [name for name, *_ in differing(*rates[1:])] == ["it.learning_rate"]
    stops = [keras.callbacks.EarlyStopping(patience=patience) for patience in (1, 9)]
    assert [name for name, *_ in differing(*stops)] == ["it.patience"]


# What version 1 remembers: texts -------------------------------------------------------------------------


def text_of_version_1(value):
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(text_of_version_1, value))}]"
    if value is None or isinstance(value, (bool, int, float, str)):
        return repr(value)
    return getattr(value, "__qualname__", type(value).__qualname__)


VALUES = {f"{name} {place}": value for name, pair in PAIRS.items() for place, value in enumerate(pair)}
VALUES |= {"a number of NumPy": np.float32(2), "a lambda": lambda e: e}


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_what_version_1_remembers_of_an_argument_is_equal_to_that_argument(value):
    stored = {"it": from_text(text_of_version_1(value))}
    assert not list(differences({"it": remembered(value)}, stored))
    assert list(differences({"it": remembered("another")}, stored)) and list(differences({}, stored))


def test_values_of_version_1_have_their_types():
    assert [from_text(t) for t in ("None", "7", "True", "'None'", "[1, 'a']")] == [None, 7, True, "None", [1, "a"]]
    assert in_words(from_text("[test.<locals>.Stop]")) == "[test.Stop]"
    with pytest.raises(ValueError):
        value_of(from_text("[EarlyStopping]"))
