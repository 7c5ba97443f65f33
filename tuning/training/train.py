"""Train one run, wherever it is: build or restore, fit, report each epoch, obey, checkpoint.

Owns what happens between a `Task` and its last message. Knows nothing of engines, the store or other
trials. A worker needs no more than the space, its data and the task, so it may sit in any process.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from tuning.compiled import lanes
from tuning.compiled.naming import numbered_afresh
from tuning.data import Data, fold
from tuning.records.words import TOGETHER
from tuning.space import HyperParameters, SearchSpace
from tuning.training import own_processes, summaries
from tuning.training.fit import assembled, fit_space, handed_on, has_own_fit, validation_callback
from tuning.training.messages import Failed, Finished, Reporter, Task, failure
from tuning.training.models import ensure_built, is_keras_model, one_sample, restore
from tuning.training.progress import Progress
from tuning.training.resources import measured
from tuning.training.seeding import generators_kept, seed_everything


def train(space: SearchSpace, data: Data, task: Task, report: Reporter) -> Finished | Failed:
    """Train one run and return its last message; exceptions of the space become `Failed`."""
    started, ended = time.perf_counter(), own_processes.ended()
    try:
        data = fold(data, task.fold).fresh()
        with (
            generators_kept(),
            numbered_afresh(),
            summaries.written(task.options.log, task.log_folder, task.trained, lambda: one_sample(data.x)) as logging,
        ):
            seed_everything(task.seed, task.options.uses_keras)
            return _train(space, data, task, report, started, logging)
    except KeyboardInterrupt:  # a person's, in their own process
        raise
    except BaseException as error:  # SystemExit, and classes of the space's own
        failed = failure(task.key, error, time.perf_counter() - started)
        lost = own_processes.ended() != ended
        return replace(failed, has_lost=lost, by_signal=lost and own_processes.was_killed(error))


def _train(
    space: SearchSpace, data: Data, task: Task, report: Reporter, started: float, logging: list[Any]
) -> Finished:
    space = space.for_run(task.run)
    hp = HyperParameters(task.run.values)
    model = space.build(hp)
    costs = {} if task.trained or not is_keras_model(model) else _costs_that_break(model, data, task)
    if costs:
        seconds = time.perf_counter() - started
        return Finished(
            task.run.number,
            task.run.values,
            (),
            0,
            seconds,
            training=task.training,
            resources=costs,
            is_refused=True,
        )
    arguments = assembled(
        space,
        model,
        task.options,
        lambda logs: progress.epoch_ended(logs),
        Path(task.files or "."),
        task.objective,
        first=logging,
    )
    restarted = restore(model, data.x, task) if task.trained else None
    if restarted is not None:
        task = replace(task, trained=0, best=None)
        seed_everything(task.seed, task.options.uses_keras)
        hp = HyperParameters(task.run.values)
        model = space.build(hp)  # part of the checkpoint may have been read
    progress = Progress(model, task, report)
    if task.options.uses_keras:
        arguments["callbacks"][:0] = validation_callback(arguments["callbacks"], progress.validation_ended)
    outcome = fit_space(space, hp, model, data, epochs=task.run.stop, initial_epoch=progress.epochs, **arguments)
    progress.take(outcome)
    progress.finish()
    compiled, reason = _how_it_was_trained(model, task)
    return Finished(
        task.run.number,
        hp.used,
        tuple(h.to_json() for h in hp.space),
        progress.saved,
        time.perf_counter() - started,
        compiled,
        reason,
        task.training,
        measured(model, handed_on(model, data.x), task.options.resources, progress.epoch_seconds)
        if is_keras_model(model)
        else {},
        restarted=restarted,
    )


def _costs_that_break(model: Any, data: Data, task: Task) -> dict[str, float]:
    """Return what a model costs before it is trained; empty where it keeps all constraints on that."""
    limits = task.options.limits
    if not limits:
        return {}
    ensure_built(model, data.x)
    costs = measured(model, data.x, [limit.name for limit in limits], ())
    return {} if all(limit.is_kept_by(costs[limit.name]) for limit in limits) else costs


def _how_it_was_trained(model: Any, task: Task) -> tuple[bool | None, str | None]:
    if hasattr(model, "how_it_was_trained"):  # it stands for several models
        said: tuple[bool | None, str | None] = model.how_it_was_trained()
        return said
    if not is_keras_model(model):
        return None, None
    if not task.options.compiled:
        return False, "turned off"
    from tuning import compiled as training

    report = training.last_report(model)
    if report is None:
        has_own = has_own_fit(model)
        return False, "the model has a fit of its own" if has_own else "fit did not call model.fit"
    company = lanes.company()
    together = None if company == 1 else f"{TOGETHER} up to {company - 1} other{'s' * (company > 2)}"
    if together and lanes.n_alone():
        together += f", but for {lanes.n_alone()} epoch{'s' * (lanes.n_alone() > 1)}"
    return report.compiled, report.explanation or together
