"""An engine around a tuner's oracle.

Owns which trial of the oracle's is which of the study's. Everything else is the oracle's: what is proposed, when it is
done, what is retried. Its own files are the truth about that, so there is no state to keep here.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any

from tuning.engines.base import Answer, Done, Engine, Wait
from tuning.keras_tuner import left_behind, outcome, private, under_way
from tuning.keras_tuner.space import TRIAL, TunerSpace
from tuning.keras_tuner.translation import recorded
from tuning.records.trial import Run, Trial

_IDLE_SECONDS = 0.01


class OracleEngine(Engine):
    """Proposes what the oracle does.

    Args:
        space: of the tuner; told which trials are under way.
        epochs: of one trial, as far as they are known.
    """

    def __init__(self, space: TunerSpace, epochs: int) -> None:
        self._space, self._tuner, self._epochs = space, space.tuner, epochs
        self._numbers: dict[str, int] = {}
        self._error: Exception | None = None
        self._before_error: set[str] = set()

    def ask(self) -> Answer:
        """Return what the oracle proposes.

        Raises:
            Exception: of the oracle, or of a hook of the tuner's; trials that were begun before it have ended.
        """
        if self._error is None:
            begun = set(self._space.trials)
            try:
                return self._proposed()
            except Exception as error:
                for trial_id in set(self._space.trials) - begun:  # it stays under way for the oracle
                    del self._space.trials[trial_id]
                self._error, self._before_error = error, begun
        if self._before_error & set(self._space.trials):
            return Wait()
        raise self._error

    def end_with(self, error: Exception, before: Iterable[str]) -> None:
        """Have the search end with an error that the program raised around a trial, unless it ends with another.

        Args:
            before: trials that end first: KerasTuner, which trains one after the other, has had them.
        """
        if self._error is None:
            self._error, self._before_error = error, set(before)

    def ends_before(self, trial_id: str) -> bool:
        """Tell whether the search ends with an error that comes before the end of a trial."""
        return self._error is not None and trial_id not in self._before_error

    def _proposed(self) -> Answer:
        while True:
            trial = self._next()
            if trial.status == "STOPPED":
                return Done()
            if trial.status == "IDLE":
                if self._space.trials:
                    return Wait()
                time.sleep(_IDLE_SECONDS)  # an oracle of somebody's own may want to be asked again
                continue
            self._begin(trial)
            number = self._numbers.setdefault(trial.trial_id, max(self._numbers.values(), default=-1) + 1)
            return Run(number, recorded(trial.hyperparameters), 0, self._epochs, note={TRIAL: trial.trial_id})

    def _next(self) -> Any:
        self._tuner.pre_create_trial()
        return self._tuner.oracle.create_trial(self._free_id())

    def _free_id(self) -> str:
        """Return a name of a worker that has no trial: the tuner's own, or one like it."""
        busy, own = self._tuner.oracle.ongoing_trials, self._tuner.tuner_id
        names = (own if not i else f"{own}-{i}" for i in range(len(busy) + 1))
        return next(name for name in names if name not in busy)

    def _begin(self, trial: Any) -> None:
        outcome.dropped(self._tuner.oracle, trial)
        left_behind.dropped(self._tuner, trial)
        self._space.trials[trial.trial_id] = trial
        self._tuner.on_trial_begin(trial)

    def retry(self, trial_id: str) -> bool:
        """Begin a trial again if the oracle wants that; tell whether it does."""
        if trial_id not in private.retries(self._tuner.oracle):
            return False
        self._take_up([trial_id])
        return True

    def _take_up(self, trial_ids: Iterable[str]) -> None:
        """Begin trials that wait for being run again."""
        queue = private.retries(self._tuner.oracle)
        for trial_id in trial_ids:
            queue.remove(trial_id)
            queue.append(trial_id)  # the last one comes first
            self._begin(self._next())

    def tell(self, trial: Trial) -> None:
        """End a trial that the oracle does not know to have ended: its worker processes were lost."""
        found = self._space.trials.pop(trial.runs[-1].note[TRIAL], None)
        if found is not None:
            under_way.forget(private.trial_folder(self._tuner.oracle, found.trial_id))
            found.status, found.message = "FAILED", trial.error
            self._tuner.on_trial_end(found)

    def abandon(self) -> None:
        """Forget the trials that are under way and were begun last: the one that ended the search came before them.

        One before it stays under way, and is run when the search goes on: an oracle names its next trial after how
        many there are.
        """
        oracle = self._tuner.oracle
        for trial_id in reversed(list(oracle.start_order)):
            if trial_id not in self._space.trials:
                break
            private.forget(oracle, trial_id)
        self._space.trials.clear()
        oracle.save()

    def should_stop(self, trial: Trial) -> bool:
        return False

    def may_continue(self, number: int) -> bool:
        return False

    def dump(self) -> Any:
        return None

    def restore(self, trials: Sequence[Trial], state: Any) -> None:
        self._numbers = {trial.runs[-1].note[TRIAL]: trial.number for trial in trials}
        self._take_up([trial.runs[-1].note[TRIAL] for trial in trials if trial.is_training])
