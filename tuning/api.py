"""`search` and `open`, the public functions: what a person gives becomes a `Request`, which the driver runs.

Owns the signatures and what their arguments mean. How it is done stands in `tuning.driver`.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tuning.display import BY_BUDGET, display_of
from tuning.driver.asking import OpenStudy
from tuning.driver.observer import Observer
from tuning.driver.request import Request
from tuning.driver.run import run
from tuning.engines.registry import DEFAULT
from tuning.errors import OptionError, briefly, guess, must
from tuning.hyperparameters import Hyperparameter
from tuning.preflight import hyperparameters_of
from tuning.records.objective import Objective
from tuning.space import HyperParameters, SearchSpace, as_space, resolve
from tuning.study import Study
from tuning.tools.kept import write_kept


@briefly
def search(
    space: Any,
    x: Any = None,
    y: Any = None,
    *,
    validation_data: Any = None,
    objective: str | Objective | Sequence[str | Objective] | None = None,
    engine: str = DEFAULT,
    trials: int | None = None,
    budget: str | None = None,
    tolerance: float | None = None,
    epochs: int | None = None,
    options: Mapping[str, Any] | None = None,
    fix: Mapping[str, Any] | None = None,
    tries: Sequence[Mapping[str, Any]] | None = None,
    warm_start: Sequence[Any] | None = None,
    constraints: Sequence[str] | None = None,
    study: str | None = None,
    logs: str | Path = "logs",
    storage: str | None = None,
    seed: int | None = None,
    overwrite: bool = False,
    patience: int | None = None,
    anneal: bool | None = None,
    compiled: bool = True,
    keep: int = 3,
    workers: int = 1,
    batch_trials: int | str = 1,
    in_process: bool | None = None,
    cluster: Any = None,
    retries: int = 1,
    time_limit: float | None = None,
    silence_limit: float | None = None,
    cv: Any = None,
    repeats: int | None = None,
    observers: Sequence[Observer] = (),
    log: Sequence[str] = (),
    verbose: int | None = None,
    checks: str = "refuse",
    **fit_options: Any,
) -> Study:
    """Search a space; go on with the study when it exists.

    Args:
        space: a `SearchSpace`, a KerasTuner `HyperModel`, a `build_model(hp)` function, or the name of a
            bundled space, a module or a .py file.
        x, y, validation_data: as for `model.fit`; default: the space's own data. In place of x, as of validation_data,
            a function without arguments that returns it anew, such as a generator, or a `tuning.Data`: every trial
            calls it, in whatever process.
        objective: such as "val_accuracy" or "val_rmse:min", or a list of several, among which may be what a model
            costs: "n_params", "model_bytes", "seconds_per_epoch", "predict_ms"; default: the space's own.
        engine: the name of what proposes trials; `tune engines` lists them.
        trials: number of trials in all, those of a resumed study included; default: the engine's, which may follow
            from the space.
        budget: what the study may cost in all, instead of or besides `trials`: "200e" for epochs, or "30m", "1.5h"
            for time of training. Then nothing new is begun.
        tolerance: end the search when the last third of its trials, and at least ten, improved the objective by less
            than this; default: never.
        epochs: budget of one trial, in epochs; default: the space's own, or 10.
        options: options of the engine; see `tune engines`.
        fix: hyperparameters that are not searched, with their values.
        tries: configurations that are tried first; what they leave open has its default. Default: the stored ones.
        warm_start: other studies, of this space or a similar one, whose best configurations are tried first; on the
            same data, their other trials teach an engine that can learn from them. Names, folders, or studies that were
            loaded. Default: the stored ones.
        constraints: what a trial must keep to be one of the best, such as ["n_params<=50000", "val_recall>=0.9"]:
            metrics at the best epoch, or what a model costs. A model with too many parameters or bytes is not
            trained at all. Default: the stored ones.
        study: name of the study and of its folder; default: space-engine.
        logs: folder of all studies.
        storage: URL of a database for the trials, such as "postgresql://..."; default: a file in the study's folder.
        seed: seeds proposals, weights and shuffling; default: drawn, or the stored one.
        overwrite: delete the study if it exists, and start afresh.
        patience: epochs without a better objective after which a run ends early, 0 for never; default: the space's
            own, with `anneal` never.
        anneal: let the learning rate of each trial fall to nearly zero over its epochs, along half a cosine; default:
            as the study does, or not.
        compiled: run epochs as compiled programs where possible.
        keep: number of best trials whose weights are kept.
        workers: number of trials that are trained at once, each in a process of its own; 1 trains in this process.
        batch_trials: number of trials that each worker trains at once, epochs of those that share a program as one, on
            JAX; "auto" for a number that suits the machine, together where that is found to be quicker. As with so many
            workers, as many trials are proposed before the first has ended.
        in_process: whether to train in this process; default: with one worker. TensorFlow never frees what it has
            compiled, so a search of hundreds of architectures should have a worker process, which is replaced
            when it has grown, even if it is a single one.
        cluster: train on the machines of a cluster of dask.distributed: the address of its scheduler, such as
            "tcp://host:8786", its scheduler file, or a `distributed.Client`. As many trials at once as it has threads,
            or `workers` of them where that is more than 1.
        retries: how many worker processes may die in a run before its trial has failed. A machine that leaves the
            cluster does not count.
        time_limit: seconds after which running trials end their epoch and the search pauses.
        silence_limit: seconds without an ended epoch after which a worker is taken for dead, infinity for never;
            default: ten times the longest epoch that was seen, and at least five minutes.
        cv: train each configuration on folds of the data, training and validation data joined, and score it by
            the mean: a number of folds, a splitter of scikit-learn's, or a list of (training rows, validation rows);
            1 for none, also with the engine `grid`, which has five where no validation data are given.
        repeats: train each configuration so often, with different seeds, and score it by the mean.
        observers: told what happens; see `tuning.Observer`.
        log: what to write for TensorBoard besides: "graph", "histograms", "summaries", "profile=3,5".
        verbose: what is shown: None or 1 for bars on a terminal, a cell that changes in a notebook, lines elsewhere; 2
            for lines everywhere; 0 for silence. It goes to standard error.
        checks: "refuse" a search of which a look at one batch proves that it can only waste time, or "warn" of it.
        **fit_options: further keyword arguments of the space's `fit`, such as `batch_size`; `sample_weight` belongs to
            x and y and is divided with them. `callbacks` are a list, of which each trial has copies of its own, or a
            function that gets the trial's own folder and returns one.

    Returns:
        The study. Interrupted or killed, the same call goes on where it was.

    Raises:
        TuningError: something given does not fit, preflight refuses, or every trial failed.
    """
    given = dict(locals())  # the arguments, by name
    with display_of(verbose, trials if trials is not None or budget is None else BY_BUDGET) as shown:
        request = Request.of({**given, "observers": [*observers, *([] if shown is None else [shown])]})
        data, stored = run(request)
    path = Path(logs) / request.path.name
    folder = path if path.absolute() == request.path else request.path
    found = Study(folder, request.space, data, request.storage, trials=stored)
    write_kept(found, request.space)
    return found


OF_SEARCH = ("budget", "tolerance", "fix", "tries", "warm_start", "constraints", "observers")
"""Arguments of `search` that `open` takes besides its own."""


@briefly
def open(
    space: Any,
    *,
    objective: str | Objective | Sequence[str | Objective] | None = None,
    engine: str = DEFAULT,
    trials: int | None = None,
    epochs: int | None = None,
    options: Mapping[str, Any] | None = None,
    study: str | None = None,
    logs: str | Path = "logs",
    storage: str | None = None,
    seed: int | None = None,
    overwrite: bool = False,
    **more: Any,
) -> OpenStudy:
    """Open a study for a program that trains in a loop of its own; go on with it when it exists.

    ```
    with tuning.open(build_model, objective="val_loss", trials=20, epochs=5) as study:
        while (trial := study.ask()) is not None:
            for epoch in trial.epochs:
                ...  # train it with trial.params, or with build_model(trial.hp)
                if not trial.report({"val_loss": loss}):
                    break
            study.tell(trial)
    ```

    Args:
        space: `tuning.HyperParameters` that were asked for what is searched, a list of hyperparameters, or whatever
            `search` takes: of a function `build_model(hp)` no more is called than is needed to find them.
        epochs: most epochs of a trial; default: the space's own, or 10. Use 1 where a trial has a single result.
        objective, engine, trials, options, study, logs, storage, seed, overwrite: as for `search`.
        **more: budget, tolerance, fix, tries, warm_start, constraints, observers, as for `search`.

    Raises:
        TuningError: something given does not fit, or another process has the study open.
    """
    unknown = [must("open", f"be given {', '.join(OF_SEARCH)}", name, guess(name, OF_SEARCH)) for name in more]
    unknown = [text for text, name in zip(unknown, more, strict=True) if name not in OF_SEARCH]
    if unknown:
        raise OptionError(" ".join(unknown))
    found, space = _found(space)
    own = {
        **{"space": space, "objective": objective, "engine": engine, "trials": trials, "epochs": epochs},
        **{"options": options, "study": study, "logs": logs, "storage": storage, "seed": seed, "overwrite": overwrite},
        **{"cv": 1, "patience": 0, "fit_options": {}, "told": True},
    }
    defaults = {name: argument.default for name, argument in inspect.signature(search).parameters.items()}
    return OpenStudy(Request.of({**defaults, **own, **more}), found)


def _found(space: Any) -> tuple[Sequence[Hyperparameter], Any]:
    """Return the hyperparameters of what was given, and a space that stands for them."""
    if isinstance(space, HyperParameters):
        return space.space, SearchSpace("program")
    is_list = isinstance(space, Sequence) and not isinstance(space, str)
    if is_list and all(isinstance(h, Hyperparameter) for h in space):
        return space, SearchSpace("program")
    return hyperparameters_of(resolve(space) if isinstance(space, str) else as_space(space)), space
