"""`tune run`: search a space."""

from __future__ import annotations

import contextlib
import os
import sys
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from tuning.cli import INTERRUPTED
from tuning.cli.app import app
from tuning.cli.console import error_line, print_json, remarks, results
from tuning.cli.options import JSON, LOGS, STORAGE, configuration, pairs, seconds
from tuning.engines.registry import DEFAULT, ENGINES, engines_that
from tuning.errors import Remark

if TYPE_CHECKING:
    from tuning.study import Study

SEARCH, BUDGET, TRAINING, STUDY = "What is searched, and how", "How long", "Training", "What is kept, and where"
"""Groups of options in the help."""

TOP = 5
"""Number of trials in the table after a search."""


@app.command(
    epilog="Examples: [bold]tune run fashion_mnist --engine random --trials 5 --epochs 10 --seed 42[/bold]; "
    "[bold]tune run california_housing --budget 30m --fix optimizer=adam[/bold]. "
    "The same command run again goes on where it was."
)
def run(
    space: str = typer.Argument(..., help="A bundled space (see `tune spaces`), a module, or a .py file."),
    engine: str = typer.Option(
        DEFAULT,
        "--engine",
        help=f"{', '.join(ENGINES)}; see `tune engines`.",
        rich_help_panel=SEARCH,
    ),
    trials: int = typer.Option(
        None,
        "--trials",
        min=1,
        help="Number of trials in all, those of a resumed study included.",
        rich_help_panel=BUDGET,
    ),
    budget: str = typer.Option(
        None,
        "--budget",
        metavar="200e|30m",
        help="Epochs or time of training in all, instead of a number of trials.",
        rich_help_panel=BUDGET,
    ),
    tolerance: float = typer.Option(
        None,
        "--tolerance",
        help="End the search when its last third improved the objective by less than this.",
        rich_help_panel=BUDGET,
    ),
    epochs: int = typer.Option(
        None,
        "--epochs",
        min=1,
        help="Budget of one trial, in epochs; default: the space's own, or 10.",
        rich_help_panel=BUDGET,
    ),
    study: str = typer.Option(
        None,
        "--study",
        help="Name of the study; default SPACE-ENGINE.",
        rich_help_panel=STUDY,
    ),
    logs: Path = LOGS,
    storage: str = STORAGE,
    workers: int = typer.Option(
        None,
        "--workers",
        min=1,
        help="Worker processes; default: as many as cores, memory and GPUs allow.",
        rich_help_panel=TRAINING,
    ),
    batch_trials: str = typer.Option(
        "1",
        "--batch-trials",
        metavar="N|auto",
        help="Trials that each worker trains at once, in one program where they share it; on JAX.",
        rich_help_panel=TRAINING,
    ),
    cluster: str = typer.Option(
        None,
        "--cluster",
        metavar="ADDRESS|FILE",
        help="Train on the machines of this scheduler of dask.distributed, in as many workers as they have threads.",
        rich_help_panel=TRAINING,
    ),
    retries: int = typer.Option(
        1,
        "--retries",
        min=0,
        help="Worker processes that may die in a run before its trial has failed.",
        rich_help_panel=TRAINING,
    ),
    time_limit: str = typer.Option(
        None,
        "--time-limit",
        metavar="10m",
        help="Pause the search after this time; the same command goes on.",
        rich_help_panel=BUDGET,
    ),
    silence_limit: str = typer.Option(
        None,
        "--silence-limit",
        metavar="30m",
        help="Replace a worker that ends no epoch for so long, or 'never'; default: 10 times the longest epoch, at "
        "least 5 minutes.",
        rich_help_panel=BUDGET,
    ),
    seed: int = typer.Option(
        None,
        "--seed",
        min=0,
        help="Seed of proposals, weights and shuffling; default: drawn.",
        rich_help_panel=SEARCH,
    ),
    option: list[str] = typer.Option(
        None,
        "-o",
        metavar="OPTION=VALUE",
        help="Option of the engine; may be repeated.",
        rich_help_panel=SEARCH,
    ),
    fix: list[str] = typer.Option(
        None,
        "--fix",
        metavar="HP=VALUE",
        help="Do not search a hyperparameter; may be repeated.",
        rich_help_panel=SEARCH,
    ),
    try_: list[str] = typer.Option(
        None,
        "--try",
        metavar="HP=VALUE,...",
        help="Try this configuration first; may be repeated.",
        rich_help_panel=SEARCH,
    ),
    objective: list[str] = typer.Option(
        None,
        "--objective",
        metavar="NAME[:max|:min]",
        help="What to optimise; default: the space's own. Repeated for several, with --engine "
        f"{' or '.join(engines_that('many_objectives'))}.",
        rich_help_panel=SEARCH,
    ),
    from_: list[str] = typer.Option(
        None,
        "--from",
        metavar="STUDY",
        help="Try the best configurations of another study first; may be repeated.",
        rich_help_panel=SEARCH,
    ),
    constraint: list[str] = typer.Option(
        None,
        "--constraint",
        metavar="'NAME<=N'",
        help="What a trial must keep to be one of the best, such as 'n_params<=50000' or 'val_recall>=0.9'; may be "
        "repeated.",
        rich_help_panel=SEARCH,
    ),
    overwrite: bool = typer.Option(
        False,
        "--overwrite",
        help="Delete the study if it exists, and start afresh.",
        rich_help_panel=STUDY,
    ),
    patience: int = typer.Option(
        None,
        "--patience",
        min=0,
        help="End a run after so many epochs without a better objective, 0 for never; default: the space's own.",
        rich_help_panel=BUDGET,
    ),
    anneal: bool = typer.Option(
        None,
        "--anneal/--no-anneal",
        help="Let each trial's learning rate fall to nearly zero over its epochs, along half a cosine.",
        rich_help_panel=TRAINING,
    ),
    no_compile: bool = typer.Option(
        False,
        "--no-compile",
        help="Train with model.fit instead of compiled epochs.",
        rich_help_panel=TRAINING,
    ),
    log: list[str] = typer.Option(
        None,
        "--log",
        metavar="WHAT",
        help="Write for TensorBoard besides: graph, histograms, summaries, profile=3,5; may be repeated.",
        rich_help_panel=STUDY,
    ),
    keep: int = typer.Option(
        3,
        "--keep",
        min=0,
        help="Number of best trials whose weights are kept.",
        rich_help_panel=STUDY,
    ),
    cv: int = typer.Option(
        None,
        "--cv",
        min=1,
        metavar="K",
        help="Train each configuration on K folds, 1 for none, and score it by their mean.",
        rich_help_panel=SEARCH,
    ),
    repeats: int = typer.Option(
        None,
        "--repeats",
        min=1,
        help="Train each configuration so often, with other seeds; scored by the mean.",
        rich_help_panel=SEARCH,
    ),
    no_checks: bool = typer.Option(
        False, "--no-checks", help="Remark on what the look at one batch proves to be a waste of time, and search."
    ),
    as_json: bool = JSON,
    quiet: bool = typer.Option(False, "--quiet", help="No progress."),
) -> None:
    """Search a space, or go on with a search that was interrupted."""
    arguments = {
        "engine": engine,
        "trials": trials,
        "budget": budget,
        "tolerance": tolerance,
        "epochs": epochs,
        "study": study,
        "logs": logs,
        "seed": seed,
        "storage": storage,
        **({} if workers is None else {"workers": workers}),
        "batch_trials": int(batch_trials) if batch_trials.isdecimal() else batch_trials,
        "cluster": cluster,
        "retries": retries,
        "time_limit": seconds(time_limit, "--time-limit"),
        "silence_limit": seconds(silence_limit, "--silence-limit"),
        "options": pairs(option, "-o"),
        "fix": pairs(fix, "--fix"),
        "tries": [configuration(text) for text in try_] if try_ else None,
        "objective": objective or None,
        "warm_start": from_ or None,
        "constraints": constraint or None,
        "patience": patience,
        "anneal": anneal,
        "overwrite": overwrite,
        "compiled": not no_compile,
        "keep": keep,
        "log": log or (),
        "cv": cv,
        "repeats": repeats,
        "checks": "warn" if no_checks else "refuse",
    }
    if overwrite:
        _say_what_is_deleted(space, engine, study, logs)
    stdout = contextlib.redirect_stdout(sys.stderr) if as_json else contextlib.nullcontext()
    with stdout:  # what the space prints must not mix with JSON
        found = run_search(space, arguments, quiet)
    if as_json:
        print_json(found.to_json())
    else:
        print_outcome(found)


def run_search(space: str, arguments: Mapping[str, Any], quiet: bool) -> Study:
    """Search with progress; on Ctrl-C say how to go on.

    Args:
        space: its name.
        arguments: those of `search`; without `workers` as many as there is room for, here or on the cluster.
        quiet: show no progress.
    """
    from tuning.display import BY_BUDGET, display_of

    trials = arguments.get("trials")
    try:
        limit = trials if trials is not None or arguments.get("budget") is None else BY_BUDGET
        with display_of(0 if quiet else None, limit, says_best=False) as shown:  # at once, before what takes seconds
            from tuning.api import search
            from tuning.executors.processes import default_workers

            is_here = arguments.get("cluster") is None
            given = {"workers": default_workers(trials) if is_here else 1, **arguments}
            with _remarks_as_lines():
                return search(space, observers=[] if shown is None else [shown], verbose=0, in_process=False, **given)
    except KeyboardInterrupt:
        error_line("interrupted; everything that was trained is stored. The same command goes on where it was.")
        raise typer.Exit(INTERRUPTED) from None


@contextlib.contextmanager
def _remarks_as_lines() -> Iterator[None]:
    """Print what preflight remarks on as lines of their own, not as Python shows warnings."""
    shown = warnings.showwarning

    def show(message: Any, category: type[Warning], *place: Any, **more: Any) -> None:
        if issubclass(category, Remark):
            remarks().print(f"remark: {message}", markup=False)
        else:
            shown(message, category, *place, **more)

    with warnings.catch_warnings():
        warnings.simplefilter("always", Remark)
        warnings.showwarning = show
        yield


def print_outcome(study: Study) -> None:
    """Print the best trials, where the study lies, and how to look at it."""
    from tuning.cli.tables import failures, trials_table, ways
    from tuning.records.outlook import outlook
    from tuning.records.words import best_line, feasibility

    console = results()
    console.print(trials_table(study, TOP, console.width))
    best = best_line(study.definition, study.trials)
    infeasible = feasibility(study.definition, study.trials)
    for line in [best, *infeasible, *failures(study.trials)[:TOP], *ways(study.trials)]:
        console.print(line)
    likely = "" if study.definition.several else outlook(study.trials, study.objective)
    if likely:
        console.print(f"more         {likely}")
    logs = "" if study.path.parent == Path("logs") else f" --logs {study.path.parent}"
    if any(not trial.state.is_finished for trial in study.trials):
        console.print("paused       the same command goes on where it was")
    console.print(f"study        {study.path}")
    console.print(f"all trials   tune show {study.name}{logs}")
    console.print(f"TensorBoard  tune board {study.name}{logs}")


def _say_what_is_deleted(space: str, engine: str, study: str | None, logs: Path) -> None:
    from tuning.space import resolve
    from tuning.storage.folder import study_files

    here = os.getcwd()
    path = logs / (study if study is not None else f"{resolve(space).name}-{engine}")
    os.chdir(here)  # where the search begins, wherever the space has gone
    names = study_files(path) if path.is_dir() else []
    if names:
        remarks().print(f"--overwrite deletes {', '.join(str(path / name) for name in names)}")
