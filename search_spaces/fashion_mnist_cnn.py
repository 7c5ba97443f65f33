"""Fashion-MNIST by a small convolutional network.

Data: Fashion-MNIST, from Keras's cache or download
Task and data are those of `fashion_mnist`. The model is one to three blocks of a convolution and max pooling, each
with twice the filters of the one before, then dropout and a softmax of 10.

Reference figure (accuracy on the validation split): 0.854 after 3 epochs on the first 10,000 training images, with the
default model, Adam 0.003 and a batch size of 64.
"""

from __future__ import annotations

from typing import Any

from search_spaces import _mlp
from search_spaces.fashion_mnist import FashionMnist


def build_model(hp: Any, shape: tuple[int, int] = (28, 28), n_classes: int = 10) -> Any:
    """Return a compiled classifier that maps [n, height, width] to probabilities [n, n_classes].

    Args:
        hp: asked for `n_blocks`, `n_filters` of the first block, `kernel_size`, `dropout`, `learning_rate` and
            `optimizer`.
        shape: height and width of an image.
        n_classes: size of the softmax.
    """
    import keras

    n_filters, kernel_size = hp.Choice("n_filters", [4, 8, 16, 32], default=8), hp.Choice("kernel_size", [3, 5])
    blocks: list[Any] = []
    for i in range(hp.Int("n_blocks", 1, 3, default=2)):
        blocks.append(keras.layers.Conv2D(n_filters * 2**i, kernel_size, padding="same", activation="relu"))
        blocks.append(keras.layers.MaxPooling2D(padding="same"))
    model = keras.Sequential(
        [
            keras.Input(shape),
            keras.layers.Reshape((*shape, 1)),
            *blocks,
            keras.layers.Flatten(),
            keras.layers.Dropout(hp.Float("dropout", 0.0, 0.5, step=0.1, default=0.0)),
            keras.layers.Dense(n_classes, activation="softmax"),
        ]
    )
    model.compile(loss="sparse_categorical_crossentropy", optimizer=_mlp.optimizer(hp), metrics=["accuracy"])
    return model


class FashionMnistCnn(FashionMnist):
    """Fashion-MNIST by convolutions; the objective is the best accuracy on the validation split."""

    name = "fashion_mnist_cnn"

    def build(self, hp: Any) -> Any:
        return build_model(hp)

    def fit(self, hp: Any, model: Any, x: Any, y: Any = None, **kwargs: Any) -> Any:
        kwargs["batch_size"] = _mlp.batch_size(hp, kwargs, [32, 64, 128, 256])
        return model.fit(x, y, **kwargs)


space = FashionMnistCnn()
