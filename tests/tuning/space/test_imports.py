"""Keras is imported without what no training needs, which is there as soon as somebody asks for it."""

import pytest

from tests.conftest import loaded_by

IMPORTED = """
from tuning.space.imports import import_keras, without
with without("jax"):
    import_keras()
import keras
assert not {"sklearn", "scipy.stats", "jax"} & set(sys.modules)
keras.wrappers.SKLearnClassifier
"""


@pytest.mark.medium
def test_estimators_and_jax_are_left_out_until_somebody_asks_for_them():
    assert loaded_by(IMPORTED, "sklearn", "scipy.stats") == ["sklearn", "scipy.stats"]
