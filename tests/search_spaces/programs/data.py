"""Data that are no arrays, the models for them, and spaces whose `fit` prepares the data or trains in its own way."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers

import tuning
from tests.search_spaces.programs.base import CLASSES, HELD, ROWS, X, Y, compiled, dense
from tests.search_spaces.programs.models import build_classifier

# Spaces with a `fit` of their own -----------------------------------------------------------------------


class FineTuning(tuning.SearchSpace):
    """Trains with a frozen base, unfreezes it, compiles anew and goes on."""

    name = "fine_tuning"

    def build(self, hp: Any) -> Any:
        base = keras.Sequential([keras.Input((4,)), layers.Dense(hp.Int("units", 2, 6))], name="base")
        base.trainable = False
        return compiled(keras.Sequential([keras.Input((4,)), base, layers.Dense(1)]), optimizer="sgd")

    def fit(self, hp: Any, model: Any, *args: Any, **options: Any) -> Any:
        model.fit(*args, **options)
        model.layers[0].trainable = True
        model.compile(keras.optimizers.Adam(3.0), "mse")  # the best epoch was before
        return model.fit(*args, **{**options, "initial_epoch": options["epochs"], "epochs": options["epochs"] + 1})


class Windows(tuning.SearchSpace):
    """Makes windows of tuned length of a series."""

    name = "windows"

    def build(self, hp: Any) -> Any:
        hp.Int("length", 8, 40)
        return compiled(keras.Sequential([layers.Dense(1)]))

    def fit(self, hp: Any, model: Any, x: Any, **options: Any) -> Any:
        length = hp.get("length")
        windows = np.lib.stride_tricks.sliding_window_view(x, length)[:-1]
        return model.fit(windows, x[length:], validation_split=0.3, **options)


class F1OfCallback(tuning.SearchSpace):
    """A metric that only a callback computes."""

    name, objective = "f1", "val_f1:max"

    def build(self, hp: Any) -> Any:
        return build_classifier(hp)

    def fit(self, hp: Any, model: Any, x: Any, y: Any, validation_data: Any, callbacks: Any, **options: Any) -> Any:
        class Measure(keras.callbacks.Callback):
            def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
                made = self.model.predict(validation_data[0], verbose=0).argmax(1)
                logs["val_f1"] = float(np.mean(made == validation_data[1]))

        return model.fit(x, y, validation_data=validation_data, callbacks=[Measure(), *callbacks], **options)


# Data that are no arrays ----------------------------------------------------------------------------------


class Batches(keras.utils.PyDataset):
    """Shuffles itself, so that it has a state."""

    def __init__(self, first: int, last: int, **options: Any) -> None:
        super().__init__(**options)
        self.rows = np.arange(first, last)

    def __len__(self) -> int:
        return -(-len(self.rows) // 16)

    def __getitem__(self, index: int) -> Any:
        rows = self.rows[16 * index : 16 * (index + 1)]
        return X[rows], Y[rows]

    def on_epoch_end(self) -> None:
        self.rows = self.rows[::-1].copy()


def batches(first: int, last: int, is_endless: bool = False) -> Any:
    while True:
        for start in range(first, last, 16):
            rows = slice(start, min(start + 16, last))
            yield X[rows], Y[rows]
        if not is_endless:
            return


WORDS = np.array([f"w{i % 7} w{i % 5}" for i in range(ROWS + HELD)])


def vectorization() -> Any:
    layer = layers.TextVectorization(max_tokens=9, output_sequence_length=2)
    layer.adapt(WORDS)
    return layer


def build_text(hp: Any) -> Any:
    embedding = layers.Embedding(9, hp.Int("units", 2, 4))
    stack = [keras.Input((1,), dtype="string"), vectorization(), embedding, layers.Flatten(), layers.Dense(1)]
    return compiled(keras.Sequential(stack))


def build_ids(hp: Any) -> Any:
    return compiled(keras.Sequential([layers.Embedding(9, hp.Int("units", 2, 4)), layers.Flatten(), layers.Dense(1)]))


def texts(first: int, last: int) -> Any:
    vectorize = vectorization()
    data = tf.data.Dataset.from_tensor_slices((WORDS[first:last], Y[first:last])).batch(16)
    return data.map(lambda words, y: (vectorize(words), y))


def frame() -> Any:
    import pandas

    names = np.array(["red", "green", "blue"])[CLASSES]
    return pandas.DataFrame({"colour": names, "size": X[:, 0].astype("float64"), "new": X[:, 1] > 0})


def columns() -> dict[str, Any]:
    table = frame()
    kinds = {"colour": "object", "size": "float32", "new": "float32"}
    return {name: tf.constant(table[name].to_numpy().astype(kind)[:, None]) for name, kind in kinds.items()}


def build_columns(hp: Any) -> Any:
    inputs = {
        name: keras.Input((1,), dtype="string" if name == "colour" else "float32", name=name)
        for name in ("colour", "size", "new")
    }
    colour = layers.StringLookup(vocabulary=["red", "green", "blue"], output_mode="one_hot")(inputs["colour"])
    row = layers.Concatenate()([colour, inputs["size"], inputs["new"]])
    return compiled(keras.Model(inputs, layers.Dense(1)(layers.Dense(hp.Int("units", 2, 4))(row))))


def featured(first: int, last: int) -> Any:
    space = keras.utils.FeatureSpace({"colour": "string_categorical", "size": "float_normalized"}, output_mode="concat")
    table = {name: frame()[name].to_numpy() for name in ("colour", "size")}
    space.adapt(tf.data.Dataset.from_tensor_slices(table))
    data = tf.data.Dataset.from_tensor_slices(({n: v[first:last] for n, v in table.items()}, Y[first:last])).batch(16)
    return data.map(lambda row, y: (space(row), y))


def build_images(hp: Any) -> Any:
    stack = [keras.Input((8, 8, 3)), layers.RandomFlip(), layers.Rescaling(1 / 255), layers.Flatten()]
    return compiled(
        keras.Sequential([*stack, *dense(hp, 2, "softmax")]), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )


def images(folder: Path, subset: str) -> Any:
    return keras.utils.image_dataset_from_directory(
        folder,
        image_size=(8, 8),
        batch_size=8,
        validation_split=0.25,
        subset=subset,
        seed=1,
        shuffle=False,
        verbose=False,
    )


def draw_images(folder: Path) -> Path:
    for label in "ab":
        (folder / label).mkdir(parents=True, exist_ok=True)
        for number in range(12):
            image = np.random.default_rng(number).integers(0, 128, (8, 8, 3)) + (100 if label == "a" else 0)
            keras.utils.save_img(folder / label / f"{number}.png", image, scale=False)
    return folder


def build_ragged(hp: Any) -> Any:
    inputs = keras.Input((None,), dtype="int32", ragged=True)
    rows = layers.Embedding(9, hp.Int("units", 2, 4))(inputs)
    return compiled(keras.Model(inputs, layers.Dense(1)(layers.GlobalAveragePooling1D()(rows))))


def sparse() -> Any:
    import scipy.sparse

    return scipy.sparse.random(ROWS + HELD, 9, 0.3, "csr", "float32", random_state=0)


def of_functions(make: Callable[..., Any], **options: Any) -> dict[str, Any]:
    return {"x": partial(make, 0, ROWS), "validation_data": partial(make, ROWS, ROWS + HELD), **options}
