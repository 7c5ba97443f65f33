"""What finished trials leave behind in the memory of the driver, in whole searches whose training takes no time."""

import gc
import tracemalloc

import pytest

import tuning
from tuning.driver.observer import Observer

FIRST, LAST = 30, 90
"""Finished trials between which memory is compared. Tables that grow by doubling are in it, so bounds are wide."""


class Formula(tuning.SearchSpace):
    """Training is a formula, of four metrics."""

    name, objective = "formula", "val_loss"

    def build(self, hp):
        return {
            "units": hp.Int("units", 16, 4096),
            "rate": hp.Float("rate", 1e-4, 1e-1, sampling="log"),
            "optimizer": hp.Choice("optimizer", ["sgd", "adam", "rmsprop"]),
        }

    def fit(self, hp, model, x, *, epochs, initial_epoch=0, callbacks=(), **_):
        for epoch in range(initial_epoch, epochs):
            loss = model["rate"] + 1 / (model["units"] + epoch)
            metrics = {"loss": loss, "accuracy": 1 - loss, "val_loss": 1.1 * loss, "val_accuracy": 1 - 1.1 * loss}
            if any(callback.on_epoch_end(epoch, metrics) for callback in callbacks):
                break

    def load_data(self):
        return tuning.Data([0])


class Watch(Observer):
    """Notes how much memory is in use after some trials."""

    def __init__(self):
        self.n, self.used = 0, {}

    def trial_ended(self, trial):
        self.n += 1
        if self.n in (FIRST, LAST):
            gc.collect()
            self.used[self.n] = tracemalloc.get_traced_memory()[0]


@pytest.mark.medium
@pytest.mark.parametrize(
    "arguments, bound",
    [
        ({"engine": "random"}, 1600),
        pytest.param({"engine": "hyperband", "options": {"hyperband_iterations": 40}}, 2000, marks=pytest.mark.slow),
        pytest.param({"engine": "optuna", "options": {"sampler": "random"}}, 2600, marks=pytest.mark.slow),
    ],
    ids=lambda given: given["engine"] if isinstance(given, dict) else "",
)
def test_a_finished_trial_leaves_little_behind(arguments, bound, tmp_path):
    watch = Watch()
    given = {"epochs": 3, "seed": 0, "logs": tmp_path, "in_process": True, "verbose": 0, **arguments}
    tuning.search(Formula(), trials=2, study="imports", **given)
    tracemalloc.start()
    try:
        tuning.search(Formula(), trials=LAST, observers=[watch], **given)
    finally:
        tracemalloc.stop()
    assert (watch.used[LAST] - watch.used[FIRST]) / (LAST - FIRST) < bound
