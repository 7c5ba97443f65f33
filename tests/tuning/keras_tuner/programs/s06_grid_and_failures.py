"""A grid; models that are too large; retries, and too many failures in a row."""

import keras
import keras_tuner as kt
import numpy as np

x, y = np.ones((20, 2)), np.ones((20, 1))


def build_model(hp):
    units = hp.Choice("units", [4, 8, 64])
    if units == 64:
        raise kt.errors.FailedTrialError("too large")
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(units), keras.layers.Dense(1)])
    model.compile(hp.Choice("optimizer", ["sgd", "adam"]), "mse")
    return model


tuner = kt.GridSearch(build_model, "loss", directory="out", project_name="grid", max_consecutive_failed_trials=9)
tuner.search(x, y, epochs=1, verbose=0)
states = {
    (t.hyperparameters["units"], t.hyperparameters.get("optimizer")): t.status for t in tuner.oracle.trials.values()
}
assert len(states) == len(tuner.oracle.trials) == 6
assert all(state == ("FAILED" if units == 64 else "COMPLETED") for (units, _), state in states.items())


class Flaky(kt.Tuner):
    failures = 1

    def run_trial(self, trial, *args, **kwargs):
        trial.hyperparameters.Int("a", 0, 50)
        self.counts = getattr(self, "counts", {})
        count = self.counts[trial.trial_id] = self.counts.get(trial.trial_id, 0) + 1
        if count <= self.failures:
            raise ValueError("not yet")
        return float(count)


tuner = Flaky(
    oracle=kt.oracles.RandomSearchOracle(max_trials=4, max_retries_per_trial=2), directory="out", project_name="flaky"
)
tuner.search(verbose=0)
assert [trial.score for trial in tuner.oracle.trials.values()] == [2.0] * 4
tuner = Flaky(
    oracle=kt.oracles.RandomSearchOracle(max_trials=9, max_consecutive_failed_trials=2),
    directory="out",
    project_name="broken",
)
tuner.failures = 100
try:
    tuner.search(verbose=0)
except RuntimeError as error:
    assert "consecutive failures" in str(error) and "not yet" in str(error)
else:
    raise AssertionError("the search went on")
assert [trial.status for trial in tuner.oracle.trials.values()] == ["FAILED"] * 2
