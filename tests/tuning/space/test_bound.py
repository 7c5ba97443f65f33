"""A space that has been told about the data is the space that it was."""

import numpy as np
import pytest

import tuning
from tuning import Data, SearchSpace
from tuning.space import BoundSpace, as_space


class Whole(SearchSpace):
    """Says all that a space can say of itself."""

    name, objective, description, imports = "whole", "val_accuracy:max", "a space", ("json",)
    patience, epochs, scale_targets = 7, 23, True

    def build(self, hp):
        return hp.Int("units", 1, 8)

    def callbacks(self, folder):
        return []

    def load_data(self):
        return Data(np.arange(3.0))


def test_everything_that_a_space_says_of_itself_is_kept():
    inner = Whole()
    bound = BoundSpace(inner)
    said = [name for name in SearchSpace.__annotations__ if name != "name"]
    assert {"objective", "description", "imports", "patience", "epochs", "callbacks"} <= set(said)
    for name in said:
        assert getattr(bound, name) == getattr(inner, name) != getattr(SearchSpace, name), name
    assert bound.name == "whole" and bound.load_data().x.tolist() == [0, 1, 2]


def test_other_data_leave_a_space_what_it_was():
    space = as_space(Whole(), data=Data(np.arange(5.0)))
    assert (space.objective, space.patience, space.epochs) == ("val_accuracy:max", 7, 23)
    assert space.callbacks(None) == [] and len(space.load_data().x) == 5


@pytest.mark.medium
def test_the_callbacks_of_a_space_are_told_of_the_trials_of_a_tuned_estimator(tmp_path):
    import keras

    epochs = []

    class Listens(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            epochs.append(epoch)

    class Small(SearchSpace):
        objective = "val_accuracy"

        def callbacks(self, folder):
            return [Listens()]

        def build(self, hp):
            model = keras.Sequential([keras.layers.Dense(hp.Int("units", 1, 4)), keras.layers.Dense(3, "softmax")])
            model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
            return model

    x = np.random.default_rng(0).normal(size=(30, 2)).astype("float32")
    y = np.arange(30) % 3
    search = tuning.TunedClassifier(Small, engine="random", trials=1, random_state=0, refit="weights", compiled=False)
    search.set_params(epochs=3, logs=tmp_path, study="small").fit(x, y)
    assert epochs[-3:] == [0, 1, 2]
