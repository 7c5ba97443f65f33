"""Here every run is long enough for XLA, as small as the data are."""

import pytest

from tuning.compiled import worthwhile


@pytest.fixture(autouse=True)
def long_enough(monkeypatch):
    monkeypatch.setattr(worthwhile, "BATCHES_PER_LAYER", 0)
