"""What a program has set in Keras: its workers know it before they make anything."""

import pickle
import subprocess
import sys
import threading

import cloudpickle
import keras
import pytest

from tuning.space.keras_settings import KerasSettings


@pytest.fixture
def as_before():
    config, known = keras.config, keras.saving.get_custom_objects()
    before = config.floatx(), config.epsilon(), config.image_data_format(), config.dtype_policy()
    objects = dict(known)

    def reset():
        config.set_floatx(before[0])
        config.set_epsilon(before[1])
        config.set_image_data_format(before[2])
        config.set_dtype_policy(before[3])
        known.clear()
        known.update(objects)

    yield reset
    reset()


class Doubled(keras.layers.Layer):
    def call(self, inputs):
        return inputs * 2


def test_what_a_program_has_set_is_set_where_it_is_sent(as_before, monkeypatch):
    class OfALibrary(keras.layers.Layer):
        pass

    monkeypatch.setattr(Doubled, "__module__", "__main__")
    keras.config.set_floatx("float64")
    keras.config.set_epsilon(1e-3)
    keras.config.set_image_data_format("channels_first")
    keras.config.set_dtype_policy("mixed_bfloat16")
    keras.saving.register_keras_serializable("own", "twice")(Doubled)
    keras.saving.register_keras_serializable("library")(OfALibrary)
    keras.saving.get_custom_objects()["third"] = lambda x: x / 3
    keras.saving.get_custom_objects()["cannot be sent"] = threading.Lock()
    sent = cloudpickle.dumps((KerasSettings(), "what follows"))
    as_before()
    assert cloudpickle.loads(sent)[1] == "what follows"
    assert (keras.config.floatx(), keras.config.epsilon()) == ("float64", 1e-3)
    assert (keras.config.image_data_format(), keras.config.dtype_policy().name) == ("channels_first", "mixed_bfloat16")
    known = keras.saving.get_custom_objects()
    assert keras.saving.get_registered_name(known["own>twice"]) == "own>twice" and known["third"](6) == 2
    assert not [name for name in known if name.startswith("library>")] and "cannot be sent" not in known


def test_where_nothing_was_set_keras_is_not_loaded():
    code = f"import pickle, sys; pickle.loads({pickle.dumps(KerasSettings())!r}); assert 'keras' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
