"""Data: the record that trials train on, and the four data sets that come with the toolkit.

`record` is the record and its fingerprint; `datasets` loads and splits; `join` puts two splits together; `idx`
reads image files; `download` bounds the wait for a network. Nothing here loads Keras, TensorFlow or scikit-learn
before a data set is asked for that needs them.
"""

from tuning.data.datasets import LOADERS, california_housing, diabetes, digits, fashion_mnist, load
from tuning.data.join import n_samples, with_validation
from tuning.data.record import Data

__all__ = [
    "LOADERS", "Data", "california_housing", "diabetes", "digits", "fashion_mnist", "load", "n_samples",
    "with_validation",
]  # fmt: skip
