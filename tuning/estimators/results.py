"""The trials of a study in the form of scikit-learn's `cv_results_`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tuning.estimators.scores import TRAIN
from tuning.records.objective import Objective
from tuning.records.trial import State, Trial
from tuning.study import Study


def signed(objective: Objective, score: float | None) -> float:
    """Return a score as scikit-learn means it, greater is better; NaN for none.

    An objective that is minimised comes negated, as in "neg_root_mean_squared_error".
    """
    if score is None:
        return float("nan")
    return score if objective.direction == "max" else -score


def cv_results(study: Study, scorers: Sequence[str] = (), with_training: bool = False) -> dict[str, Any]:
    """Return one row a trial, in the order of their numbers.

    Args:
        study: the trials.
        scorers: names of scikit-learn's that scored the trainings: `split0_test_NAME`, `mean_test_NAME` and so on.
        with_training: whether to give scores on the training rows, `split0_train_score`, `mean_train_score` and so on:
            those of the scorers, or else what training reported of the objective in the epoch that counts.

    Returns:
        `params`, `param_NAME` (masked where a hyperparameter does not apply), `split0_test_score` and so on (one
        for each fold, or the one validation split), `mean_test_score`, `std_test_score`, `rank_test_score`,
        `mean_fit_time` in seconds, `mean_score_time` (0, because scoring is part of each epoch), `epochs`, and `trial`.
        With folds or repeats also `split0_best_score` and so on and `mean_best_score`: each at its own best epoch,
        where `split0_test_score` is at the epoch that counts. For a search by halving, `iter` and `n_resources`: the
        round that a candidate came to, and its epochs. A failed trial has NaN for scores, and the last rank.
    """
    trials = study.trials
    names = dict.fromkeys(name for trial in trials for name in trial.values)
    results: dict[str, Any] = {f"param_{name}": _column(trials, name) for name in names}
    results["params"] = [dict(trial.values) for trial in trials]
    scores = _scores(trials, study.objective, "part_scores")
    _add(results, "test_score", scores)
    results["rank_test_score"] = _ranks(results["mean_test_score"])
    if study.definition.is_divided:
        bests = _scores(trials, study.objective, "part_bests")
        results |= {f"split{index}_best_score": column for index, column in enumerate(bests.T)}
        results["mean_best_score"] = bests.mean(axis=1)
    seconds = np.array([[training.seconds for training in trial.trainings] for trial in trials])
    results["mean_fit_time"], results["std_fit_time"] = seconds.mean(axis=1), seconds.std(axis=1)
    for name in scorers:
        _add(results, f"test_{name}", _last(trials, name))
        results[f"rank_test_{name}"] = _ranks(results[f"mean_test_{name}"])
    if with_training:
        _add(results, "train_score", _training_scores(trials, study.objective, scorers))
        for name in scorers:
            _add(results, f"train_{name}", _last(trials, f"{TRAIN}{name}"))
    results["mean_score_time"] = results["std_score_time"] = np.zeros(len(trials))
    if str(study.definition.options.get("search")).startswith("halving"):
        results["iter"] = np.array([len(trial.runs) - 1 for trial in trials])
        results["n_resources"] = np.array([trial.epochs for trial in trials])
    results["epochs"] = np.array([trial.epochs for trial in trials])
    results["trial"] = np.array([trial.number for trial in trials])
    return results


def _add(results: dict[str, Any], name: str, scores: Any) -> None:
    """Add scores [n_trials, n_splits], with their means and standard deviations."""
    results |= {f"split{index}_{name}": column for index, column in enumerate(scores.T)}
    results[f"mean_{name}"], results[f"std_{name}"] = scores.mean(axis=1), scores.std(axis=1)


def _column(trials: Sequence[Trial], name: str) -> Any:
    column: Any = np.ma.MaskedArray(np.empty(len(trials), dtype=object), mask=True)
    for index, trial in enumerate(trials):
        if name in trial.values:
            column[index] = trial.values[name]
    return column


def _scores(trials: Sequence[Trial], objective: Objective, which: str) -> Any:
    """Return the scores, [n_trials, n_splits], that are an attribute of trials."""
    n_splits = max((len(trial.trainings) for trial in trials), default=1)
    scores = np.full((len(trials), n_splits), np.nan)
    for index, trial in enumerate(trials):
        if trial.state is not State.FAILED:
            for split, score in enumerate(getattr(trial, which)):
                scores[index, split] = signed(objective, score)
    return scores


def _training_scores(trials: Sequence[Trial], objective: Objective, scorers: Sequence[str]) -> Any:
    """Return the objective on the training rows, [n_trials, n_splits], greater is better."""
    if objective.name in scorers:
        return _last(trials, f"{TRAIN}{objective.name}")
    metric = objective.name.removeprefix("val_")
    scores = np.full((len(trials), max((len(trial.trainings) for trial in trials), default=1)), np.nan)
    for index, trial in enumerate(trials):
        counted = trial.counted or [(trial.best_epoch, None)]
        for split, (training, one) in enumerate(zip(trial.trainings, counted, strict=True)):
            if one is not None and one[0] is not None:
                scores[index, split] = signed(objective, training.curve.epochs[one[0]].get(metric))
    return scores


def _last(trials: Sequence[Trial], metric: str) -> Any:
    """Return a metric in the last epoch of each training, [n_trials, n_splits]."""
    rows = [
        [t.curve.epochs[-1].get(metric, np.nan) if t.curve.epochs else np.nan for t in trial.trainings]
        for trial in trials
    ]
    return np.array(rows, dtype=float)


def _ranks(scores: Any) -> Any:
    """Return 1 for the greatest score; equal ones share a rank, and NaN is last."""
    filled = np.where(np.isnan(scores), -np.inf, scores)
    return np.array([1 + int((filled > score).sum()) for score in filled], dtype="int32")
