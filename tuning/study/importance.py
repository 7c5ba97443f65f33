"""How much of the differences between trials each hyperparameter explains.

Owns the measure: the share of the variance of the trials' ranks that lies between groups of equal values, corrected
for what as many groups of chance would explain. The hyperparameter that explains most comes first; each further one is
credited with what it explains of the rest, so that the shares add up to at most 1 although a search tries good values
together. Two that matter only together are not seen. Trials that were given different budgets are compared with those
of the same budget only, and trials to which a hyperparameter does not apply are a group of their own.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tuning.hyperparameters import Hyperparameter, Number
from tuning.records.objective import Objective
from tuning.records.ranking import ranked
from tuning.records.trial import State, Trial

LEAST_TRIALS = 10
"""With fewer nothing is said."""

MAX_TRIALS = 3000
"""Most trials that are looked at, evenly chosen: more change no digit that is shown."""

LEAST_IN_GROUP, MAX_GROUPS = 5, 8
"""Of neighbouring numbers."""


def searched(hyperparameters: Sequence[Hyperparameter], trials: Sequence[Trial]) -> dict[str, list[Hyperparameter]]:
    """Return by its name what takes more than one value, once a condition; what single trials met is among it."""
    found = {h.key: h for h in hyperparameters}
    for trial in trials:
        for record in trial.found:
            h = Hyperparameter.from_json(record)
            found.setdefault(h.key, h)
    by_name: dict[str, list[Hyperparameter]] = {}
    for h in found.values():
        by_name.setdefault(h.name, []).append(h)
    return {name: same for name, same in by_name.items() if not all(h.is_fixed for h in same) or len(same) > 1}


def importance(
    hyperparameters: Sequence[Hyperparameter], trials: Sequence[Trial], objective: Objective
) -> dict[str, float]:
    """Return the share from 0 to 1 that each hyperparameter explains, the largest first.

    Empty where there are fewer than `LEAST_TRIALS` trials with a score, or all have the same.
    """
    if len(trials) > MAX_TRIALS:
        trials = [trials[int(i)] for i in np.linspace(0, len(trials) - 1, MAX_TRIALS)]
    scored = ranked(trials, objective)
    complete = [trial for trial in scored if trial.state is State.COMPLETED]
    scored = complete if len(complete) >= max(LEAST_TRIALS, len(scored) / 2) else scored
    if len(scored) < LEAST_TRIALS:
        return {}
    ranks = _ranks(np.asarray([trial.score for trial in scored], np.float64))
    ranks -= _means(ranks, np.asarray([trial.run.stop if trial.runs else 0 for trial in scored]))
    if not ranks.any():
        return {}
    left = {
        name: _groups(same, [trial.values.get(name) for trial in scored])
        for name, same in searched(hyperparameters, trials).items()
    }
    total, shares = float((ranks**2).sum()), {}
    while left:
        of_rest = {one: _share(ranks, theirs) for one, theirs in left.items()}
        name = max(of_rest, key=lambda one: of_rest[one])
        shares[name] = of_rest[name] * float((ranks**2).sum()) / total
        groups = left.pop(name)
        ranks = ranks - _means(ranks, groups) if shares[name] else ranks
    return dict(sorted(shares.items(), key=lambda entry: -entry[1]))


def _ranks(values: np.ndarray) -> np.ndarray:
    """Return places from 0 to 1, equal ones for equal values: one loss of a million must not decide alone."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    middles: np.ndarray = (ends - counts + ends - 1) / 2
    ranked_at: np.ndarray = middles[place] / max(1, len(values) - 1)
    return ranked_at


def _means(values: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Return for each value the mean of its group."""
    _, place, counts = np.unique(group, return_inverse=True, return_counts=True)
    means: np.ndarray = (np.bincount(place, values) / counts)[place]
    return means


def _groups(same: Sequence[Hyperparameter], values: Sequence[object]) -> np.ndarray:
    """Return the number of each value's group: neighbouring numbers, equal values of any other kind, and none."""
    if not all(isinstance(h, Number) for h in same):
        texts = ["" if value is None else f"={value!r}" for value in values]
        groups: np.ndarray = np.unique(texts, return_inverse=True)[1]
        return groups
    there = np.asarray([value is not None for value in values])
    numbers = np.asarray([value for value in values if value is not None], np.float64)
    groups = np.zeros(len(values), int)
    n = int(np.clip(len(numbers) // LEAST_IN_GROUP, 1, MAX_GROUPS))
    different = np.unique(numbers)
    cuts = different[1:] if len(different) <= n else np.unique(np.quantile(numbers, np.arange(1, n) / n))
    groups[there] = 1 + np.searchsorted(cuts, numbers, side="right")
    return groups


def _share(values: np.ndarray, groups: np.ndarray) -> float:
    """Return epsilon squared: the share of the variance between groups, less what chance puts there.

    References:
        T. L. Kelley, "An unbiased correlation ratio measure", PNAS 21 (1935).
    """
    n, k = len(values), len(np.unique(groups))
    total = float(((values - values.mean()) ** 2).sum())
    if n <= k or total <= 1e-12 * n:
        return 0.0
    within = float(((values - _means(values, groups)) ** 2).sum())
    return max(0.0, 1 - (within / (n - k)) / (total / (n - 1)))
