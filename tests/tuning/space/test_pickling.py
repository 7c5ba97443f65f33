"""What is sent elsewhere: models are trained there as far as they are here, and what a program defines is found."""

import pickle
import sys
import types

import keras
import numpy as np
import pytest

from tuning.space import pickling


def frozen(name="base"):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2), keras.layers.Dense(2)], name=name)
    model.trainable = False
    return model


def functional():
    inputs = keras.Input((3,))
    model = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Dense(2)(inputs)))
    model.trainable = False
    return model


@pytest.mark.parametrize("make", [frozen, functional])
def test_a_frozen_model_comes_back_frozen_and_can_be_thawed(make):
    here = make()
    there = pickling.loads(pickling.dumps(here))
    assert not there.trainable and not there.trainable_weights
    assert all(np.array_equal(a, b) for a, b in zip(there.get_weights(), here.get_weights(), strict=True))
    there.trainable = True
    assert len(there.trainable_weights) == 4


def test_a_model_that_was_thawed_in_part_comes_back_as_it_is():
    part = frozen()
    part.trainable = True
    part.layers[0].trainable = False
    closed = frozen("closed")
    closed.layers[1].trainable = True  # of no use while the whole is frozen
    inputs = keras.Input((3,))
    here = keras.Model(inputs, keras.layers.Concatenate()([part(inputs), closed(inputs)]))
    there = pickling.loads(pickling.dumps({"model": here}))["model"]
    assert [v.name for v in there.trainable_weights] == [v.name for v in here.trainable_weights]
    assert len(there.get_layer("base").trainable_weights) == 2 and not there.get_layer("closed").trainable_weights
    for name in ("base", "closed"):
        assert [layer.trainable for layer in there.get_layer(name).layers] == [False, True]


def test_everything_else_is_pickled_as_ever():
    buffers = []
    array = np.arange(5)
    sent = pickling.dumps((array, lambda: 3, "text"), buffers.append)
    found, function, text = pickling.loads(sent, buffers)
    assert np.array_equal(found, array) and function() == 3 and text == "text" and len(buffers) == 1


PROGRAM = """
class Transformer:
    def __init__(self, function):
        self.function = function

def square(value):
    return value**2

def unused():
    return Transformer

def build():
    return Transformer(square)
"""


def test_a_trial_may_pickle_what_the_program_itself_defines(monkeypatch):
    program = types.ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", program)
    exec(PROGRAM, vars(program))
    sent = pickling.dumps({"build": program.build})
    monkeypatch.setitem(sys.modules, "__main__", types.ModuleType("__main__"))
    made = pickling.loads(sent)["build"]()
    assert pickle.loads(pickle.dumps(made)).function is made.function is sys.modules["__main__"].square
    assert not hasattr(sys.modules["__main__"], "unused")  # what is not needed may not be possible to send
