"""`tune finalize`: the final model of a study, scored once on the test split."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import typer

from tuning.cli.app import app
from tuning.cli.console import print_json, remarks, results
from tuning.cli.options import JSON, LOGS, STORAGE, TRUST, study_path


@app.command(
    epilog="Examples: [bold]tune finalize digits-optuna[/bold]; "
    "[bold]tune finalize digits-optuna --seeds 3[/bold] for mean and spread."
)
def finalize(
    study: str = typer.Argument(..., help="A study's name, or the path of its folder."),
    logs: Path = LOGS,
    storage: str = STORAGE,
    trust: bool = TRUST,
    seeds: int = typer.Option(
        1, "--seeds", min=1, help="Number of trainings; the model of the first is saved, all are scored."
    ),
    again: bool = typer.Option(False, "--again", help="Evaluate on the test split although that was done before."),
    anneal: bool = typer.Option(
        None,
        "--anneal/--no-anneal",
        help="Let the learning rate fall to nearly zero over the training, along half a cosine; default: as in the "
        "search.",
    ),
    as_json: bool = JSON,
    quiet: bool = typer.Option(False, "--quiet", help="No progress."),
) -> None:
    """Train the best values afresh on training and validation data, and evaluate once on the test split.

    Saves the model and a model card in the study's folder.
    """
    from tuning.final import finalize as train
    from tuning.storage.folder import FINAL_MODEL
    from tuning.study import load

    found = load(study_path(study, logs, storage), storage=storage, trust=trust)
    stdout = contextlib.redirect_stdout(sys.stderr) if as_json else contextlib.nullcontext()
    with stdout, _progress(found, seeds, quiet) as listener:
        final = train(found, seeds=seeds, again=again, anneal=anneal, storage=storage, listener=listener)
    if as_json:
        print_json(final.to_json())
        return
    _print(found, final, found.path / FINAL_MODEL)


@contextlib.contextmanager
def _progress(study: Any, seeds: int, quiet: bool) -> Iterator[Any]:
    """Give what shows each epoch: a bar on a terminal, a line a training elsewhere."""
    if quiet or study.best is None:
        yield None
        return
    epochs = (study.best.best_epoch or 0) + 1
    if not remarks().is_terminal:

        def say(index: int, epoch: int, metrics: Mapping[str, float]) -> None:
            if epoch + 1 == epochs:
                shown = ", ".join(f"{name} {value:.4f}" for name, value in metrics.items())
                remarks().print(f"training {index + 1} of {seeds}: {epochs} epochs, {shown}")

        yield say
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("epochs", markup=False),
    )
    with Progress(*columns, TimeRemainingColumn(), console=remarks(), transient=True) as bar:
        task = bar.add_task("training 1", total=epochs * seeds)

        def advance(index: int, epoch: int, metrics: Mapping[str, float]) -> None:
            bar.update(task, description=f"training {index + 1} of {seeds}", completed=index * epochs + epoch + 1)

        yield advance


def _print(study: Any, final: Any, folder: Path) -> None:
    from tuning.final.card import CARD
    from tuning.records.words import duration, score
    from tuning.storage.folder import MODEL_FILE

    spread = "" if final.spread is None else f"; {len(final.seeds)} seeds: {score(final.mean)} ± {score(final.spread)}"
    name = study.objective.name
    lines = [
        f"{study.name}: trial {final.trial}, {final.epochs} epochs on {final.n_training} samples, "
        f"{duration(final.seconds)}",
        f"test        {final.metric} {score(final.score)} ({final.n_test} samples){spread}",
        f"search      {name} {score(final.validation_score)}",
        f"model       {folder / MODEL_FILE}",
        f"card        {folder / CARD}",
    ]
    if final.earlier:
        lines.append(f"the test split was evaluated {len(final.earlier) + 1} times; the first score is the honest one")
    for line in lines:
        results().print(line)
