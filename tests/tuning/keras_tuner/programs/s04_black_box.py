"""A base Tuner with an oracle and a `run_trial` that trains nothing."""

import warnings

import keras_tuner as kt


class BlackBox(kt.Tuner):
    kind = "float"

    def run_trial(self, trial, *args, **kwargs):
        a = trial.hyperparameters.Float("a", -1.0, 1.0)
        value = a * a + 1
        if self.kind == "update":
            self.oracle.update_trial(trial.trial_id, {"y": value})
            return None
        return {"float": value, "dict": {"y": value, "z": 2 * value}, "list": [value, value + 2]}[self.kind]


for kind in ("float", "dict", "list", "update"):
    objective = kt.Objective("y", "min") if kind in ("dict", "update") else None
    oracle = kt.oracles.RandomSearchOracle(objective=objective, max_trials=5, seed=3)
    tuner = BlackBox(oracle=oracle, directory="out", project_name=kind)
    tuner.kind = kind
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        tuner.search()
    assert len(oracle.trials) == 5
    best = tuner.get_best_hyperparameters()[0].get("a")
    score = oracle.get_best_trials(1)[0].score
    assert abs(score - (best * best + (2 if kind == "list" else 1))) < 1e-9, (kind, score, best)
    assert score == min(trial.score for trial in oracle.trials.values())
