"""Handwritten digits, 8x8 pixels: Fashion-MNIST's model on data that comes with scikit-learn.

Data: handwritten digits, bundled with scikit-learn
Task: classify float32 [n, 8, 8] images in [0, 1] into 10 classes, uint8 [n]; 1,010 training, 337 validation
and 450 test samples. Nothing is downloaded, and a trial takes seconds.

Reference figures (accuracy on the validation split, 2 hidden layers of 100, 20 epochs, means of 3 seeds):

    SGD 0.01      0.879, normalised 0.936
    Adam 0.001    0.967, normalised 0.966
"""

from __future__ import annotations

from typing import Any

from search_spaces import _mlp, fashion_mnist
from search_spaces.data import digits as load_digits
from tuning.data import Data
from tuning.space import SearchSpace


def build_model(hp: Any) -> Any:
    """Return a compiled classifier that maps [n, 8, 8] to probabilities [n, 10]."""
    return fashion_mnist.build_model(hp, shape=(8, 8))


class Digits(SearchSpace):
    """Handwritten digits; the objective is the best accuracy on the validation split."""

    name = "digits"
    objective = "val_accuracy:max"
    patience = _mlp.PATIENCE

    def build(self, hp: Any) -> Any:
        return build_model(hp)

    def fit(self, hp: Any, model: Any, x: Any, y: Any = None, **kwargs: Any) -> Any:
        return fashion_mnist.fit_model(hp, model, x, y, **kwargs)

    def load_data(self) -> Data:
        return load_digits()


space = Digits()
