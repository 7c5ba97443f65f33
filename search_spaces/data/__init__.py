"""The data sets of the bundled spaces.

`datasets` loads and splits them; `idx` reads image files; `download` bounds the wait for a network. Nothing here loads
Keras, TensorFlow or scikit-learn before a data set is asked for that needs them.
"""

from search_spaces.data.datasets import LOADERS, california_housing, diabetes, digits, fashion_mnist, load

__all__ = ["LOADERS", "california_housing", "diabetes", "digits", "fashion_mnist", "load"]
