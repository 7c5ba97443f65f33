"""`Tuner.search`, with our driver behind it.

Owns the steps of such a search, and which searches are left to KerasTuner.
"""

from __future__ import annotations

import gc
import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tuning.data import Data
from tuning.driver.loop import Search
from tuning.errors import SearchFailedError, StudyError, TuningError
from tuning.executors.base import Executor
from tuning.executors.in_process import InProcessExecutor
from tuning.executors.machine import Share, visible_gpus
from tuning.executors.processes import ProcessExecutor
from tuning.keras_tuner import private
from tuning.keras_tuner.endings import Endings
from tuning.keras_tuner.oracle_engine import OracleEngine
from tuning.keras_tuner.repair import agreed, forget_unknown, put_in_order
from tuning.keras_tuner.space import TunerSpace
from tuning.keras_tuner.translation import described
from tuning.keras_tuner.workers import chosen
from tuning.preflight.labels import oddities
from tuning.records.definition import Definition
from tuning.records.objective import Objective
from tuning.records.packed import Trials
from tuning.storage.folder import TENSORBOARD
from tuning.storage.lock import locked
from tuning.tensorboard import TensorBoardObserver
from tuning.training.options import TrainingOptions

ENGINE = "keras-tuner"
"""What a study says proposed its trials."""


def search_with(genuine: Callable[..., Any]) -> Callable[..., Any]:
    """Return what takes the place of `BaseTuner.search`.

    Args:
        genuine: KerasTuner's own, for what is left to it.
    """

    def search(self: Any, *fit_args: Any, **fit_kwargs: Any) -> Any:
        reason = _why_genuine(self)
        if reason:
            warnings.warn(f"KerasTuner searches by itself: {reason}", stacklevel=2)
            return genuine(self, *fit_args, **fit_kwargs)
        if "verbose" in fit_kwargs:
            self.oracle.verbose = fit_kwargs["verbose"]
        for remark in _remarks(self, fit_args, fit_kwargs):
            warnings.warn(remark, stacklevel=2)
        self.on_search_begin()
        _search(self, fit_args, fit_kwargs)
        self.on_search_end()
        return None

    search.__doc__ = genuine.__doc__
    return search


def _why_genuine(tuner: Any) -> str:
    if private.has_chief():
        return (
            "the environment makes this program a chief or a worker of its own. For several machines, "
            "`tune run --cluster` asks for no such roles."
        )
    if private.is_elsewhere(tuner.directory):
        return f"its project folder is in '{tuner.directory}', and the study would have to lie on this machine."
    missing = private.missing() or private.missing_of(tuner.oracle)
    return f"the installed release has no {', '.join(missing)}." if missing else ""


def _remarks(tuner: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[str]:
    """Say what is odd in the data of a standard `run_trial`, which takes them as `model.fit` does; refuse nothing."""
    if not private.has_standard_run_trial(tuner):
        return []
    x, y = (args[place] if len(args) > place else kwargs.get(name) for place, name in enumerate("xy"))
    try:
        return [odd.text for odd in oddities(Data(x, y, kwargs.get("validation_data")))]
    except Exception:  # a `fit` of one's own may be given anything
        return []


def _search(tuner: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
    path, epochs = Path(tuner.project_dir), _epochs(tuner, kwargs)
    space = TunerSpace(tuner, args, kwargs)
    put_in_order(tuner.oracle)
    with suppress(Exception):  # a program that is killed in its first trial is gone on with, too, but for a tuner
        tuner.save()  # whose state is only there after a trial
    with ExitStack() as resources:
        resources.enter_context(_short_collections())
        engine = OracleEngine(space, epochs)
        executor = resources.enter_context(closing(Endings(_executor(space), space, engine)))
        resources.enter_context(locked(path))
        store, definition = agreed(path, _definition(tuner, space, path, epochs), tuner.oracle)
        resources.enter_context(closing(store))
        trials = Trials()
        board = TensorBoardObserver(path / TENSORBOARD, trials)
        try:
            Search(
                definition=definition,
                engine=engine,
                executor=executor,
                store=store,
                path=path,
                observers=[board],
                keep=0,
                training=TrainingOptions(),
                trials=trials,
            ).run()
        except SearchFailedError:
            pass  # KerasTuner leaves it to the program to look at its trials
        except StudyError:
            if space.fatal is None:
                raise
            raise space.fatal from space.fatal.__cause__
        finally:
            if executor.is_broken_off:
                forget_unknown(store, tuner.oracle)
                # Another observer has the folders agree with the trials that are left: the search has had more.
                TensorBoardObserver(path / TENSORBOARD).search_started(definition, store.read()[0])


@contextmanager
def _short_collections() -> Iterator[None]:
    """Have collections of garbage pass over all that is there already: KerasTuner makes one before each model."""
    is_own = not gc.get_freeze_count()
    if is_own:
        gc.freeze()
    try:
        yield
    finally:
        if is_own:
            gc.unfreeze()


def _executor(space: TunerSpace) -> Executor:
    """Return what trains the trials, with the space: worker processes where they can be sent there."""
    number, reason = chosen(space.tuner, space.kwargs.get("callbacks"))
    if number > 1:
        executor = ProcessExecutor(number, space.imports, math.inf, Share(number, devices=visible_gpus()))
        try:
            executor.load(None, space, Data(None))
        except TuningError as error:
            executor.close()
            reason = str(error)
        else:
            return executor
    if reason:
        warnings.warn(f"trials are trained one after the other, in this process: {reason}", stacklevel=4)
    here = InProcessExecutor(space.imports)
    here.load(None, space, Data(None))
    return here


def _definition(tuner: Any, space: TunerSpace, path: Path, epochs: int) -> Definition:
    oracle = tuner.oracle
    return Definition(
        study=path.resolve().name,
        space=space.name,
        space_source=None,
        hyperparameters=described(oracle.hyperparameters.space),
        objective=Objective(oracle.objective.name, oracle.objective.direction),
        engine=ENGINE,
        options={"tuner": type(tuner).__name__, "oracle": type(oracle).__name__},
        seed=int(oracle.seed),
        epochs=epochs,
        backend=keras.config.backend(),
    )


def _epochs(tuner: Any, kwargs: Mapping[str, Any]) -> int:
    """Return the epochs of a trial, as far as the call says."""
    epochs = kwargs.get("epochs", getattr(tuner.oracle, "max_epochs", 1))
    with suppress(TypeError, ValueError):
        return max(int(np.asarray(epochs)), 1)
    return 1
