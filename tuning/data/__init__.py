"""Data: the record that trials train on, whatever it is made of.

`record` is the record and its fingerprint; `join` puts two splits together; `folds` divides data for
cross-validation. Nothing here loads Keras, TensorFlow or scikit-learn before something is asked for that needs them.
"""

from tuning.data.folds import fold, with_folds
from tuning.data.join import n_samples, with_validation
from tuning.data.record import Data

__all__ = ["Data", "fold", "n_samples", "with_folds", "with_validation"]
