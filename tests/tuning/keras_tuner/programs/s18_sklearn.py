"""SklearnTuner: scoring, splitters, groups, weights, tables, a pipeline, further metrics."""

import keras_tuner as kt
import numpy as np
import pandas as pd
from sklearn import ensemble, linear_model, metrics, model_selection, pipeline, preprocessing

rng = np.random.default_rng(18)
x = rng.uniform(size=(60, 4))
y = (x[:, 0] > 0.5).astype(int)


def build_model(hp):
    kind = hp.Choice("kind", ["forest", "ridge"])
    with hp.conditional_scope("kind", "forest"):
        if kind == "forest":
            return ensemble.RandomForestClassifier(n_estimators=hp.Int("trees", 2, 6), max_depth=hp.Int("depth", 1, 4))
    with hp.conditional_scope("kind", "ridge"):
        return linear_model.RidgeClassifier(alpha=hp.Float("alpha", 1e-3, 1, sampling="log"))


def doubled(values):
    return values * 2


def build_pipeline(hp):
    return pipeline.Pipeline(
        [
            ("scale", preprocessing.StandardScaler()),
            ("double", preprocessing.FunctionTransformer(doubled)),
            ("model", linear_model.Ridge(alpha=hp.Float("alpha", 0.1, 10))),
        ]
    )


def searched(name, *args, build=build_model, search=None, **kwargs):
    oracle = kt.oracles.BayesianOptimizationOracle(objective=kt.Objective("score", "max"), max_trials=3, seed=1)
    tuner = kt.tuners.SklearnTuner(oracle=oracle, hypermodel=build, directory="out", project_name=name, **kwargs)
    tuner.search(*args, **(search or {}))
    assert len(oracle.trials) == 3
    return oracle.get_best_trials(1)[0], tuner


trial, tuner = searched("plain", x, y)
assert tuner.get_best_models()[0].score(x, y) > 0.5
trial, _ = searched(
    "scored",
    x,
    y,
    scoring=metrics.make_scorer(metrics.balanced_accuracy_score),
    metrics=[metrics.accuracy_score, metrics.recall_score],
    cv=model_selection.StratifiedKFold(3),
)
assert {"score", "accuracy_score", "recall_score"} <= set(trial.metrics.metrics)
searched("groups", x, y, cv=model_selection.GroupKFold(3), search={"groups": np.arange(60) % 6})
searched("weights", x, y, search={"sample_weight": np.ones(60)})
searched("tables", pd.DataFrame(x, columns=list("abcd")), pd.DataFrame(y, columns=["y"]))
trial, tuner = searched("pipeline", x, x.sum(axis=1), build=build_pipeline)
assert isinstance(tuner.get_best_models()[0], pipeline.Pipeline)
