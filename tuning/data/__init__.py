"""Data: the record that trials train on, and the four data sets that come with the toolkit.

`record` is the record and its fingerprint; `datasets` loads and splits; `join` puts two splits together; `idx`
reads image files; `download` bounds the wait for a network; `folds` divides data for cross-validation. Nothing here
loads Keras, TensorFlow or scikit-learn before something is asked for that needs them.
"""

from tuning.data.datasets import LOADERS, california_housing, diabetes, digits, fashion_mnist, load
from tuning.data.folds import fold, with_folds
from tuning.data.join import n_samples, with_validation
from tuning.data.record import Data

__all__ = [
    "LOADERS", "Data", "california_housing", "diabetes", "digits", "fashion_mnist", "fold", "load", "n_samples",
    "with_folds", "with_validation",
]  # fmt: skip
