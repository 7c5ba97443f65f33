"""KerasTuner's private names that a search of ours touches, and what it needs of them.

Owns the list, and the check that the installed release has all of it: `missing` names what is elsewhere, and then the
program's searches are left to KerasTuner itself.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras_tuner

from tuning.files import remove, replaced

_NEEDED = {
    "keras_tuner.src.engine.base_tuner": ("BaseTuner._try_run_and_update_trial", "BaseTuner.search"),
    "keras_tuner.src.engine.oracle": ("Oracle._get_trial_dir", "Oracle.create_trial"),
    "keras_tuner.src.engine.stateful": ("Stateful.save", "Stateful.get_state"),
    "keras_tuner.src.engine.tuner": (
        "Tuner.run_trial",
        "Tuner.on_batch_begin",
        "Tuner.on_batch_end",
        "Tuner._get_checkpoint_fname",
    ),
    "keras_tuner.src.engine.tuner_utils": ("TunerCallback", "SaveBestEpoch"),
    "keras_tuner.src.engine.objective": ("MultiObjective.get_value",),
    "keras_tuner.src.distribute.utils": ("has_chief_oracle",),
    "keras_tuner.src.utils": ("save_json",),
}
_OF_AN_ORACLE = (
    *("_retry_queue", "_run_times", "_id_to_hash", "_tried_so_far"),
    *("ongoing_trials", "trials", "start_order", "end_order"),
)

_IN_THE_PROGRAM = {
    *("search", "on_search_begin", "on_search_end", "pre_create_trial", "on_trial_begin", "on_trial_end"),
    *("get_best_models", "get_best_hyperparameters", "search_space_summary", "results_summary"),
    *("_populate_initial_space", "_activate_all_conditions", "get_state", "set_state", "save", "reload"),
}
"""What a tuner does around its trials, which is done in the program itself wherever they are trained."""


def missing() -> list[str]:
    """Name what the installed KerasTuner has elsewhere; an empty list where everything is found."""
    found = []
    for module, names in _NEEDED.items():
        for name in names:
            try:
                _of(module, name)
            except (ImportError, AttributeError):
                found.append(f"{module}.{name}")
    return found


def missing_of(oracle: Any) -> list[str]:
    """Name the attributes that an oracle of the installed KerasTuner does not have."""
    return [f"Oracle.{name}" for name in _OF_AN_ORACLE if not hasattr(oracle, name)]


def _of(module: str, name: str) -> Any:
    found = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return found


def base_tuner() -> Any:
    """Return the class whose `search` is replaced."""
    return _of("keras_tuner.src.engine.base_tuner", "BaseTuner")


def stateful() -> Any:
    """Return the class of all that KerasTuner writes as JSON."""
    return _of("keras_tuner.src.engine.stateful", "Stateful")


def save_whole(stateful: Any, fname: Any) -> str:
    """Write what `Stateful.save` writes, so that a killed process leaves the old file or the new one.

    A tuner writes its own state after each trial, though nothing has changed since it was written last.
    """
    if is_elsewhere(fname):
        return str(_of("keras_tuner.src.utils", "save_json")(fname, stateful.get_state()))
    text, path = json.dumps(stateful.get_state()), Path(fname)
    with contextlib.suppress(OSError, ValueError):
        if path.read_text(encoding="utf-8") == text:
            return text
    with replaced(path, synced=False) as draft:
        draft.write_text(text, encoding="utf-8")
    return text


def is_elsewhere(path: Any) -> bool:
    """Tell whether a path is one that TensorFlow alone can open, such as "gs://bucket/folder"."""
    return "://" in str(path)


def has_chief() -> bool:
    """Tell whether the environment makes this program a chief or a worker of KerasTuner's own."""
    return bool(_of("keras_tuner.src.distribute.utils", "has_chief_oracle")())


def own_part(tuner: Any) -> str | None:
    """Name a part of a tuner's trials that is not KerasTuner's own, such as "run_trial"; None where all of it is."""
    classes = [c for c in type(tuner).__mro__ if c is not object]
    genuine = {name for c in classes if _is_genuine(c) for name in vars(c)}
    own = {n for c in classes for n, v in vars(c).items() if not _is_genuine(c) or callable(v) and not _is_genuine(v)}
    functions = {name for name, value in vars(tuner).items() if callable(value)}
    found = sorted(n for n in (own | functions) & genuine - _IN_THE_PROGRAM if not n.startswith("__"))
    return "run_trial" if "run_trial" in found else next(iter(found), None)


def _is_genuine(class_or_function: Any) -> bool:
    return str(class_or_function.__module__).startswith("keras_tuner.")


def is_of_the_program(kind: type) -> bool:
    """Tell whether a class is neither KerasTuner's nor Python's."""
    return not _is_genuine(kind) and kind.__module__ != "builtins"


def reads_between(tuner: Any) -> bool:
    """Tell whether code of the program's own runs between a training and the end of its trial."""
    hypermodel, genuine = tuner.hypermodel, keras_tuner.HyperModel.fit
    has_own_fit = (
        "fit" in getattr(hypermodel, "__dict__", ()) or getattr(type(hypermodel), "fit", genuine) is not genuine
    )
    return has_own_fit or own_part(tuner) is not None


def has_standard_run_trial(tuner: Any) -> bool:
    """Tell whether `run_trial` is KerasTuner's own, and one that trains models."""
    is_tuner = isinstance(tuner, _of("keras_tuner.src.engine.tuner", "Tuner"))
    return is_tuner and _is_genuine(type(tuner).run_trial) and "run_trial" not in vars(tuner)


def best_weights(tuner: Any, trial_id: str) -> Path:
    """Return the file of the weights of a trial's best epoch."""
    return Path(tuner._get_checkpoint_fname(trial_id))


def looks_at_batches(tuner: Any) -> bool:
    """Tell whether a tuner wants to know of single batches."""
    genuine, hooks = _of("keras_tuner.src.engine.tuner", "Tuner"), ("on_batch_begin", "on_batch_end")
    return any(hook in vars(tuner) or getattr(type(tuner), hook, None) is not getattr(genuine, hook) for hook in hooks)


def tuner_callback() -> Any:
    """Return the class of the callback that tells a tuner of epochs and batches."""
    return _of("keras_tuner.src.engine.tuner_utils", "TunerCallback")


def run_trial(tuner: Any, trial: Any, args: Any, kwargs: Any) -> None:
    """Run a trial as `BaseTuner.search` does; its state says how that went.

    Raises:
        FatalError: the fault is not the trial's.
    """
    tuner._try_run_and_update_trial(trial, *args, **kwargs)


def attempts(oracle: Any, trial_id: str) -> int:
    """Return how often a trial has been run to its end."""
    return int(oracle._run_times.get(trial_id, 0))


def is_at_its_limit(oracle: Any) -> bool:
    """Tell whether one more failure in a row would be too many."""
    ended = reversed([oracle.trials[trial_id].status for trial_id in oracle.end_order])
    row, limit = len(list(itertools.takewhile("FAILED".__eq__, ended))), oracle.max_consecutive_failed_trials
    return limit is not None and row + 1 >= limit


def load_trial(oracle: Any, trial_id: str) -> Any:
    """Return a trial as its file has it."""
    return keras_tuner.engine.trial.Trial.load(str(Path(oracle._get_trial_dir(trial_id)) / "trial.json"))


def learn_of_others(oracle: Any, trial_id: str) -> None:
    """Have a worker's copy of an oracle know what has become of the trials beside one of them since it was made."""
    for path in Path(oracle._get_trial_dir(trial_id)).parent.glob("trial_*/trial.json"):
        other = path.parent.name.removeprefix("trial_")
        known = oracle.trials.get(other)
        if other != trial_id and (known is None or known.score is None):  # what a worker has trained has none there
            oracle.trials[other] = load_trial(oracle, other)


def trial_folder(oracle: Any, trial_id: str) -> Path:
    """Return the folder of a trial; it is made."""
    return Path(oracle._get_trial_dir(trial_id))


def retries(oracle: Any) -> list[str]:
    """Return the ids of the trials that wait to be run again; the last one comes first."""
    queue: list[str] = oracle._retry_queue
    return queue


def has_ended(trial: Any) -> bool:
    """Tell whether a trial's file says that it has ended; one with a state and no score was about to."""
    return trial.status == "FAILED" or trial.status == "COMPLETED" and trial.score is not None


def end_silently(oracle: Any, trial_id: str) -> None:
    """Have an oracle take note that a trial has ended; its display may not know of the trial."""
    verbose, oracle.verbose = oracle.verbose, 0
    try:
        oracle.end_trial(oracle.trials[trial_id])
    finally:
        oracle.verbose = verbose


def forget(oracle: Any, trial_id: str) -> None:
    """Drop a trial as if it had never been begun, with its folder."""
    del oracle.trials[trial_id]
    oracle._tried_so_far.discard(oracle._id_to_hash.pop(trial_id, None))
    if trial_id in oracle.start_order:
        oracle.start_order.remove(trial_id)
    for tuner_id in [i for i, trial in oracle.ongoing_trials.items() if trial.trial_id == trial_id]:
        del oracle.ongoing_trials[tuner_id]
    for bracket in getattr(oracle, "_brackets", []):  # Hyperband's
        for promoted in bracket["rounds"]:
            promoted[:] = [one for one in promoted if one["id"] != trial_id]
    remove(trial_folder(oracle, trial_id))


def order_grid(oracle: Any, ended: list[str]) -> None:
    """Make again what a grid's oracle does not write down: the order of its trials, and those whose next is due.

    Args:
        oracle: any; of one of another kind nothing is made.
        ended: trials that have ended without the oracle's having taken note.
    """
    if not isinstance(oracle, keras_tuner.oracles.GridSearchOracle):
        return
    kind, known = type(oracle._ordered_ids), oracle._ordered_ids
    if set(known._memory) == set(oracle.trials):
        oracle._populate_next += ended
        return
    by_values = functools.cmp_to_key(_comparison(oracle))
    oracle._ordered_ids, before = kind(), None
    for trial_id in sorted(oracle.trials, key=by_values):
        oracle._ordered_ids.insert(trial_id, before)
        before = trial_id
    oracle._populate_next = list(oracle.start_order)


def _comparison(oracle: Any) -> Callable[[str, str], int]:
    def compare(a: str, b: str) -> int:
        one, other = (oracle.trials[trial_id].hyperparameters.values for trial_id in (a, b))
        return int(oracle._compare(one, other))

    return compare
