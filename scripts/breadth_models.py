"""The models that `scripts/benchmark.py --only breadth` trains.

One of each kind that people tune, and two of them on data that come in batches. Owns what is trained; `bench_breadth`
owns how it is timed. The data are random: how long an epoch takes does not depend on what there is to learn.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

SEED = 42


@dataclasses.dataclass(frozen=True)
class Breadth:
    """One row of the table.

    Attributes:
        title: what the table says.
        n_rows: samples to train on; a quarter as many are validated on.
        data: makes x and y of so many samples.
        build: makes the model, not yet compiled.
        compiling: makes the arguments of its `compile`.
        goal: the ratio to reach.
        pieces: makes of x and y what `fit` is given in their place; None for the arrays themselves.
    """

    title: str
    n_rows: int
    data: Callable[[np.random.Generator, int], tuple[Any, Any]]
    build: Callable[[], Any]
    compiling: Callable[[], Mapping[str, Any]]
    goal: float = 3.0
    pieces: Callable[[Any, Any], Mapping[str, Any]] | None = None

    def arguments(self, n_rows: int | None = None, batch_size: int = 32) -> dict[str, Any]:
        """Return the arguments of `fit`, data of `n_rows` samples among them."""
        n = self.n_rows if n_rows is None else n_rows
        x, y = self.data(np.random.default_rng(SEED), n + n // 4)
        first, rest = ({name: _rows(part, rows) for name, part in (("x", x), ("y", y))} for rows in (
            slice(None, n), slice(n, None)))  # fmt: skip
        validation = {"validation_data": (rest["x"], rest["y"]), "batch_size": batch_size}
        if self.pieces is None:
            return {**first, **validation}
        return {**self.pieces(first["x"], first["y"]), "validation_data": (rest["x"], rest["y"])}


def _rows(part: Any, rows: slice) -> Any:
    if isinstance(part, dict):
        return {name: array[rows] for name, array in part.items()}
    return part[rows]


def _numbers(*shape: int) -> Callable[[np.random.Generator, int], tuple[Any, Any]]:
    """Return what makes inputs of a shape, and as target a number that depends on them."""

    def made(rng: np.random.Generator, n: int) -> tuple[Any, Any]:
        x = rng.normal(size=(n, *shape)).astype("float32")
        return x, x.reshape(n, -1)[:, :4].sum(axis=1, keepdims=True)

    return made


def _classes(*shape: int) -> Callable[[np.random.Generator, int], tuple[Any, Any]]:
    def made(rng: np.random.Generator, n: int) -> tuple[Any, Any]:
        x = rng.random(size=(n, *shape), dtype="float32")
        return x, (10 * x.reshape(n, -1)[:, 0]).astype("int64")

    return made


def _words(length: int, masked: bool = False) -> Callable[[np.random.Generator, int], tuple[Any, Any]]:
    def made(rng: np.random.Generator, n: int) -> tuple[Any, Any]:
        x = rng.integers(1, 2000, size=(n, length)).astype("int32")
        if masked:
            x[np.arange(length) >= rng.integers(length // 2, length + 1, size=(n, 1))] = 0
        return x, (x[:, :1] % 2).astype("float32")

    return made


def _wide_and_deep(rng: np.random.Generator, n: int) -> tuple[Any, Any]:
    wide, deep = (rng.normal(size=(n, size)).astype("float32") for size in (5, 6))
    y = deep.sum(axis=1, keepdims=True)
    return {"wide": wide, "deep": deep}, {"main": y, "aux": y}


def _autoencoded(rng: np.random.Generator, n: int) -> tuple[Any, Any]:
    x = rng.random(size=(n, 784), dtype="float32")
    return x, x


def _sequential(shape: tuple[int, ...], *layers: Any, dtype: str | None = None) -> Any:
    import keras

    return keras.Sequential([keras.Input(shape, dtype=dtype), *layers])


def small() -> Any:
    from keras import layers

    return _sequential((8,), *(layers.Dense(50, "relu") for _ in range(3)), layers.Dense(1))


def large() -> Any:
    from keras import layers

    return _sequential((784,), layers.Dense(300, "relu"), layers.Dense(100, "relu"), layers.Dense(10, "softmax"))


def normalized() -> Any:
    from keras import layers

    hidden = []
    for _ in range(2):  # without a bias: its gradient would be 0 but for rounding, which Adam makes as large as any
        hidden += [layers.Dense(64, use_bias=False), layers.BatchNormalization(), layers.ReLU()]
        hidden += [layers.Dropout(0.2, seed=SEED)]
    return _sequential((20,), *hidden, layers.Dense(1))


def wide_and_deep() -> Any:
    import keras
    from keras import layers

    wide, deep = keras.Input((5,), name="wide"), keras.Input((6,), name="deep")
    hidden = layers.Dense(30, "relu")(layers.Dense(30, "relu")(deep))
    main = layers.Dense(1, name="main")(layers.Concatenate()([wide, hidden]))
    return keras.Model({"wide": wide, "deep": deep}, {"main": main, "aux": layers.Dense(1, name="aux")(hidden)})


def autoencoder() -> Any:
    from keras import layers

    sizes = (128, 32, 128)
    return _sequential((784,), *(layers.Dense(n, "relu") for n in sizes), layers.Dense(784, "sigmoid"))


def pooled() -> Any:
    from keras import layers

    hidden = layers.Embedding(2000, 32), layers.GlobalAveragePooling1D(), layers.Dense(32, "relu")
    return _sequential((40,), *hidden, layers.Dense(1, "sigmoid"), dtype="int32")


def lstm() -> Any:
    from keras import layers

    return _sequential((24, 6), layers.LSTM(32), layers.Dense(1))


def grus() -> Any:
    from keras import layers

    return _sequential((24, 6), layers.GRU(32, return_sequences=True), layers.GRU(32), layers.Dense(1))


def masked() -> Any:
    from keras import layers

    read = layers.Bidirectional(layers.LSTM(24))
    return _sequential((24,), layers.Embedding(2000, 24, mask_zero=True), read, layers.Dense(1, "sigmoid"))


def transformer() -> Any:
    import keras
    from keras import layers

    tokens = keras.Input((24,), dtype="int32")
    x = layers.Embedding(2000, 32)(tokens)
    x = layers.LayerNormalization()(x + layers.MultiHeadAttention(2, 16)(x, x))
    x = layers.LayerNormalization()(x + layers.Dense(32)(layers.Dense(64, "relu")(x)))
    return keras.Model(tokens, layers.Dense(1, "sigmoid")(layers.GlobalAveragePooling1D()(x)))


def convolved_series() -> Any:
    from keras import layers

    hidden = layers.Conv1D(32, 3, activation="relu"), layers.Conv1D(32, 3, activation="relu")
    return _sequential((24, 6), *hidden, layers.GlobalMaxPooling1D(), layers.Dense(1))


def convolved_images() -> Any:
    from keras import layers

    hidden = [
        layer for n in (8, 16) for layer in (layers.Conv2D(n, 3, activation="relu"), layers.MaxPooling2D())
    ]  # fmt: skip
    return _sequential((28, 28, 1), *hidden, layers.Flatten(), layers.Dense(10, "softmax"))


def _regression() -> dict[str, Any]:
    import keras

    return {"optimizer": "adam", "loss": "mse", "metrics": [keras.metrics.RootMeanSquaredError(name="rmse")]}


def _binary() -> dict[str, Any]:
    return {"optimizer": "adam", "loss": "binary_crossentropy", "metrics": ["accuracy"]}


def _classification() -> dict[str, Any]:
    return {"optimizer": "sgd", "loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"]}


def _two_outputs() -> dict[str, Any]:
    weights = {"main": 0.9, "aux": 0.1}
    return {"optimizer": "adam", "loss": {"main": "mse", "aux": "mse"}, "loss_weights": weights}


def _reconstruction() -> dict[str, Any]:
    return {"optimizer": "adam", "loss": "mse"}


def _dataset(x: Any, y: Any) -> dict[str, Any]:
    """Return a dataset that is shuffled, batched, augmented and read ahead."""
    import tensorflow as tf

    def noisy(rows: Any, target: Any) -> Any:
        return rows + tf.random.stateless_normal(tf.shape(rows), seed=(SEED, 0), stddev=0.01), target

    rows = tf.data.Dataset.from_tensor_slices((x, y)).shuffle(len(x), seed=SEED)
    return {"x": rows.batch(32).map(noisy, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)}


def _sequence(x: Any, y: Any) -> dict[str, Any]:
    import keras

    class Pieces(keras.utils.PyDataset):  # type: ignore[misc]
        def __len__(self) -> int:
            return -(-len(x) // 32)

        def __getitem__(self, index: int) -> Any:
            rows = slice(32 * index, 32 * (index + 1))
            return x[rows], y[rows]

    return {"x": Pieces()}


def _generator(x: Any, y: Any) -> dict[str, Any]:
    def endless() -> Any:
        while True:
            for start in range(0, len(x) - 31, 32):
                yield x[start : start + 32], y[start : start + 32]

    return {"x": endless(), "steps_per_epoch": len(x) // 32}


_SMALL = (9288, _numbers(8), small, _regression)
_LARGE = (16000, _classes(784), large, _classification)
_TEXT = "bidirectional LSTM on masked text"

BREADTH: dict[str, Breadth] = {
    "small": Breadth("3x50, 9,288 x 8", *_SMALL),
    "large": Breadth("300-100, 16,000 x 784", *_LARGE),
    "normalized": Breadth("BatchNormalization + Dropout, 8,000 x 20", 8000, _numbers(20), normalized, _regression),
    "wide": Breadth("wide & deep, 2 in 2 out", 9288, _wide_and_deep, wide_and_deep, _two_outputs),
    "autoencoder": Breadth("autoencoder 784-128-32", 8000, _autoencoded, autoencoder, _reconstruction),
    "pooled": Breadth("embedding + pooling", 8000, _words(40), pooled, _binary),
    "lstm": Breadth("LSTM 32, 3,200 x 24 x 6", 3200, _numbers(24, 6), lstm, _regression),
    "grus": Breadth("2 GRUs", 3200, _numbers(24, 6), grus, _regression),
    "masked": Breadth(_TEXT, 3200, _words(24, masked=True), masked, _binary),
    "transformer": Breadth("transformer block", 3200, _words(24), transformer, _binary),
    "conv1d": Breadth("Conv1D x 2", 3200, _numbers(24, 6), convolved_series, _regression, 1.8),
    "conv2d": Breadth("Conv2D x 2", 3200, _classes(28, 28, 1), convolved_images, _classification, 1.8),
    "small_dataset": Breadth("3x50, tf.data", *_SMALL, 2.5, _dataset),
    "small_sequence": Breadth("3x50, PyDataset", *_SMALL, 2.5, _sequence),
    "small_generator": Breadth("3x50, generator", *_SMALL, 2.5, _generator),
    "large_dataset": Breadth("300-100, tf.data", *_LARGE, 2.5, _dataset),
    "large_sequence": Breadth("300-100, PyDataset", *_LARGE, 2.5, _sequence),
    "large_generator": Breadth("300-100, generator", *_LARGE, 2.5, _generator),
}
