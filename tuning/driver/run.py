"""A whole search on one page: look, plan, open, search.

Owns the order: everything that was given is checked, preflight has looked at the data, and a stored study has been
compared, before anything is written or deleted.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping
from contextlib import ExitStack, closing
from dataclasses import replace
from typing import Any

from tuning.data import Data, with_folds
from tuning.driver.observer import notify, remark
from tuning.driver.opening import looked_up, opened_search
from tuning.driver.plan import plan, training_options
from tuning.driver.request import AUTO, Request
from tuning.driver.warm_start import warmed
from tuning.engines.registry import engine_kind
from tuning.errors import OptionError, Remark, must, users_line
from tuning.executors.base import Executor
from tuning.executors.channel import Batch
from tuning.executors.in_process import InProcessExecutor
from tuning.executors.machine import Share, visible_gpus
from tuning.executors.processes import ProcessExecutor
from tuning.preflight import Findings, check
from tuning.preflight.changeable import changeable
from tuning.records.objective import EPOCH_SECONDS, TIMES, Objective
from tuning.records.trial import Trial
from tuning.storage import database
from tuning.training.fit import data_of

BATCH_ON_GPU, BATCH_ON_CPU = 32, 8
"""Trials that a worker trains at once where the machine decides."""


def run(request: Request) -> tuple[Data, list[Trial]]:
    """Search, or go on with the study when it exists.

    Returns:
        The data that trials trained and validated on, and all trials as they are stored.

    Raises:
        TuningError: preflight refuses, the study is another search, or every trial failed.
        KeyboardInterrupt: interrupted; running trials are stored and the study can be resumed.
    """
    deadline = None if request.time_limit is None else time.monotonic() + request.time_limit
    request, stored = looked_up(request)
    notify(request.observers, "prepared", _where(request))
    with ExitStack() as resources:
        executor = resources.enter_context(closing(executor_for(request)))
        engine_kind(request.engine).load()  # while worker processes start
        if not request.in_process:
            database.load()
        data, division = load_data(request)
        executor.load(request.source, request.space, data, request.data is None)
        findings = executor.call(check, request.goal, request.fix, request.fit_options, request.anneal, request.checks)
        for found in findings.remarks:
            warnings.warn(found, Remark, stacklevel=users_line())
        refuse_batches(request, findings)
        if engine_kind(request.engine).changes:
            request = with_changes(request, findings, executor)
        fingerprint = data.fingerprint()
        request, said = warmed(request, stored, findings.hyperparameters, fingerprint)
        definition = plan(request, stored, findings, fingerprint, division)
        training = training_options(request, definition, findings)
        search = opened_search(request, definition, executor, resources, training=training, deadline=deadline)
        for text in (*_remarks(findings), *said):
            remark(request.observers, text)
        search.run()
        return data, search.store.trials()


def refuse_batches(request: Request, findings: Findings) -> None:
    """Refuse to train trials in one program where there is none, or where an objective is time.

    Raises:
        OptionError: says why.
    """
    if request.batch_trials == 1:
        return
    if not findings.uses_keras or findings.backend != "jax":
        where = f"where Keras runs on {findings.backend}" if findings.uses_keras else "where models are not Keras's"
        advice = "On JAX (KERAS_BACKEND=jax) trials are trained together."
        raise OptionError(must("batch_trials", f"be 1 {where}", request.batch_trials, advice))
    if EPOCH_SECONDS in _measured_names(request):
        raise OptionError(must("batch_trials", f"be 1 where {EPOCH_SECONDS} counts", request.batch_trials))


def with_changes(request: Request, findings: Findings, executor: Executor) -> Request:
    """Return the request with the names of what may change while a model is trained, where they are not given.

    Raises:
        OptionError: the weights of such models cannot be taken over.
    """
    if not findings.uses_keras:
        advice = "Weights are taken over; a program that does that itself uses tuning.open."
        raise OptionError(must("engine", "be another one where models are not Keras's", request.engine, advice))
    if request.options["change"] is not None:
        return request
    found = executor.call(changeable, findings.hyperparameters)
    return replace(request, options={**request.options, "change": list(found)})


def _remarks(findings: Findings) -> list[str]:
    """Return what is legal, but hardly what was meant."""
    name = findings.objective.name
    if f"val_{name}" not in findings.metrics:
        return []
    return [f"remark: {name} is measured on the training data; val_{name} would choose what does well on other data"]


def _where(request: Request) -> str:
    """Return where trials will be trained, in words; empty for this process."""
    if request.in_process:
        return ""
    if request.cluster is not None:
        return f"on the cluster {request.cluster}" if isinstance(request.cluster, str) else "on a cluster"
    return f"in {request.workers} worker process{'es' * (request.workers > 1)}"


def executor_for(request: Request) -> Executor:
    """Return what trains the runs; worker processes begin to start at once."""
    imports = request.space.imports
    if request.in_process:
        return InProcessExecutor(imports)
    if request.cluster is not None:
        return _on_cluster(request)
    gpus = visible_gpus()
    if request.batch_trials == AUTO:
        batch = Batch(BATCH_ON_GPU if gpus else BATCH_ON_CPU, is_measured=True)
    else:
        batch = Batch(int(request.batch_trials))
    share = Share(request.workers, devices=gpus)
    return ProcessExecutor(request.workers, imports, request.silence_limit, share, folder=request.folder, batch=batch)


def _on_cluster(request: Request) -> Executor:
    """Return the executor that trains on a cluster.

    Raises:
        OptionError: dask.distributed is not installed, or no scheduler answers.
    """
    try:
        from tuning.executors.cluster.executor import ClusterExecutor
    except ImportError as error:
        advice = "It is an extra: pip install 'keras-tuning[cluster]'."
        raise OptionError(must("cluster", "be None without dask.distributed", request.cluster, advice)) from error
    most = request.workers if request.workers > 1 else None
    alike = any(name in TIMES for name in _measured_names(request))
    return ClusterExecutor(request.cluster, request.path, request.space.imports, request.silence_limit, most, alike)


def _measured_names(request: Request) -> list[str]:
    """Return what the trials are judged by: objectives and constraints."""
    wanted = [Objective.split(goal)[0] if isinstance(goal, str) else goal.name for goal in request.goals]
    return [*wanted, *(constraint.name for constraint in request.constraints or ())]


def load_data(request: Request) -> tuple[Data, Mapping[str, Any] | None]:
    """Return the data of a continued request, divided into its folds, and how; None without folds."""
    data = data_of(request.space) if request.data is None else request.data
    if request.cv is None or request.seed is None:
        return data, None
    return with_folds(data, request.cv, request.seed)
