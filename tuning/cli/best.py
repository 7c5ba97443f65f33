"""`tune best`: the winner of a study."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer

from tuning.cli.app import app
from tuning.cli.console import print_json, results
from tuning.cli.options import JSON, LOGS, STORAGE, TRUST, study_path

BARS = "▁▂▃▄▅▆▇█"
WIDTH = 60
"""Most columns of a curve."""


@app.command(
    epilog="Examples: [bold]tune best digits-optuna[/bold]; "
    "[bold]tune best digits-optuna --save model.keras[/bold]. `--save weights/model.weights.h5` saves weights "
    "alone, and `--save FOLDER` a SavedModel of TensorFlow."
)
def best(
    study: str = typer.Argument(..., help="A study's name, or the path of its folder."),
    logs: Path = LOGS,
    storage: str = STORAGE,
    trust: bool = TRUST,
    save: Path = typer.Option(
        None, "--save", metavar="PATH", help="Save its model: NAME.keras, NAME.weights.h5, or a folder (SavedModel)."
    ),
    trial: int = typer.Option(None, "--trial", min=0, help="Show this trial instead of the best."),
    as_json: bool = JSON,
) -> None:
    """Show the best trial: values, curve, and where its weights are; save its model.

    A saved model is loaded again and evaluated on the validation data, and must give the recorded score. Of several
    objectives there is no best trial: the Pareto set is shown, and `--trial N` chooses one of it.
    """
    from tuning.records.schedule import schedule_of
    from tuning.study import load

    found = load(study_path(study, logs, storage), storage=storage, trust=trust)
    if trial is None and len(found.definition.objectives) > 1:
        _show_pareto(found, save, as_json)
        return
    chosen = found.best if trial is None else found._trial(trial)
    if chosen is None:
        found.best_model()  # raises
    with contextlib.redirect_stdout(sys.stderr) if as_json else contextlib.nullcontext():
        again = None if save is None else _saved(found, chosen, save)
    if as_json:
        record: dict[str, Any] = {"study": found.name, **chosen.to_json(), "curve": list(chosen.curve.epochs)}
        pieces = schedule_of(chosen, found.trials)
        if len(pieces) > 1:
            record["schedule"] = [{"start": p.start, "stop": p.stop, "values": dict(p.values)} for p in pieces]
        record |= {"checkpoint": None if (path := found.checkpoint(chosen)) is None else str(path)}
        print_json({**record, "saved": None if save is None else str(save), "score_of_saved": again})
        return
    _print(found, chosen)
    if save is not None:
        _print_saved(found, chosen, save, again)


def _show_pareto(study: Any, save: Path | None, as_json: bool) -> None:
    """Show the trials that no other beats; refuse to save a best model, for there is none."""
    from tuning.cli.tables import front_table
    from tuning.errors import StudyError
    from tuning.records.words import best_line, numbers_of

    objectives, front = study.definition.objectives, study.pareto
    if save is not None:
        raise StudyError(
            f"study '{study.name}' must have one objective to have a best trial, but it has {len(objectives)}. "
            f"Choose one of its Pareto set with --trial: {numbers_of(front) if front else 'it is empty yet'}."
        )
    if as_json:
        print_json({"study": study.name, "pareto": [trial.to_json() for trial in front]})
        return
    console = results()
    console.print(best_line(study.definition, study.trials))
    if front:
        console.print(front_table(front, objectives, console.width))
        console.print("`tune best STUDY --trial N` shows one of them, and saves its model with --save.")


def _saved(study: Any, trial: Any, path: Path) -> float | None:
    """Save the trial's model; return the score of what was saved, or None where only Keras's formats can tell."""
    from tuning.training import export

    path = path.absolute()  # now: the space may change the working folder
    study.save(path, trial)
    if export.format_of(path) == "saved_model":
        return None
    loaded = export.load(path, study.untrained_model(trial))
    scores: dict[str, float] = study.evaluate(trial, loaded)
    return scores.get(study.objective.name.removeprefix("val_"))


def _print(study: Any, trial: Any) -> None:
    from tuning.records.words import duration, feasible, number, schedule, score, state

    console, name = results(), study.objective.name
    said = state(trial, study.is_live) + (f": {trial.error}" if trial.error else "")
    spread = f" ± {score(trial.score_std)}" if trial.score_std is not None else ""
    scored = "no score" if trial.score is None else f"{name} {score(trial.score)}{spread} in epoch {trial.best_epoch}"
    lines = [f"trial {trial.number} of {study.name}: {scored}"]
    lines += [f"  {key} = {number(value)}" for key, value in trial.values.items()]
    lines += [f"state       {said}, {trial.epochs} epochs, {duration(trial.seconds)}"]
    parts = zip(study.definition.training_names, trial.part_scores, strict=True) if trial.is_divided else ()
    lines += [f"{part:<11} {score(value) or 'no score'}" for part, value in parts]
    lines += [f"schedule    {said}" for said in schedule(trial, study.trials)]
    if study.definition.constraints:
        lines += [f"feasible    {feasible(study.definition, trial) or 'not known'}"]
    values = [v for v in trial.curve.values(name) if v == v]
    if values:
        lines += [f"curve       {score(values[0])} {sparkline(values)} {score(values[-1])}"]
    found = (study.checkpoint(trial, training) for training in range(len(trial.trainings)))
    paths = [str(path) for path in found if path is not None]
    lines += [f"weights     {', '.join(paths) or 'not kept; `tune run --keep N` keeps more'}"]
    for line in lines:
        console.print(line)


def _print_saved(study: Any, trial: Any, path: Path, again: float | None) -> None:
    from tuning.records.words import score

    name = study.objective.name
    checked = "" if again is None else f"; loaded again, it has {name} {score(again)}, recorded {score(trial.score)}"
    results().print(f"saved       {path}{checked}")


def sparkline(values: Sequence[float]) -> str:
    """Return a curve as text, at most `WIDTH` columns wide; a longer one is thinned out."""
    n = min(len(values), WIDTH)
    shown = [values[round(i * (len(values) - 1) / max(1, n - 1))] for i in range(n)]
    low, high = min(shown), max(shown)
    scale = (len(BARS) - 1) / (high - low) if high > low else 0
    return "".join(BARS[round((value - low) * scale)] for value in shown)
