"""The `tune run` command that searches the same again.

Owns what of a definition the command line can say, and how; the report, the model card and the command line take it
from here. What was given as an object in a program has no words there: then `why_none` says in a sentence why there is
no command. Values are written so that `tuning.cli.options.literal` reads them back.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from tuning.engines.options import INSTANCE
from tuning.engines.registry import engine_kind
from tuning.records.definition import Definition
from tuning.records.trial import Trial
from tuning.space.resolve import bundled_spaces

_HAS_FLAG = ("patience", "anneal")
"""Arguments of training for which the command line has an option of their own."""


def command(definition: Definition, trials: Sequence[Trial]) -> str | None:
    """Return the command that searches the same, as far as the trials have got; None where there is none.

    It begins a study of the same name: in the folder of the study it goes on with that one.

    Args:
        definition: of the study.
        trials: all of the study's.
    """
    if why_none(definition):
        return None
    words: list[Any] = [] if definition.backend == "tensorflow" else [f"KERAS_BACKEND={definition.backend}"]
    words += ["tune", "run", definition.space_source, "--engine", definition.engine, "--epochs", definition.epochs]
    words += ["--seed", definition.seed]
    words += [word for objective in definition.objectives for word in ("--objective", str(objective))]
    words += ["--trials", _wanted(trials)] if trials else []
    known = engine_kind(definition.engine).options
    for name, value in definition.options.items():
        is_default = name in known and value == known[name].default
        words += [] if is_default else ["-o", f"{name}={_text(value)}"]
    for name, value in _fixed(definition).items():
        words += ["--fix", f"{name}={_text(value)}"]
    for values in definition.tries:
        words += ["--try", ",".join(f"{name}={_without_commas(value)}" for name, value in values.items())]
    words += [word for study in definition.warm_start for word in ("--from", study)]
    words += [word for constraint in definition.constraints for word in ("--constraint", str(constraint))]
    folds = engine_kind(definition.engine).folds if definition.n_folds is None else definition.n_folds
    words += [] if folds is None else ["--cv", 1 if definition.n_folds is None else folds]
    words += [] if definition.repeats is None else ["--repeats", definition.repeats]
    words += _training(definition)
    return shlex.join([*map(str, words), "--study", definition.study])


def why_none(definition: Definition) -> str:
    """Say what of a search no command can repeat, as the end of a sentence; an empty string where one can."""
    found = []
    if definition.told:
        found.append("its trials were trained by a program")
    if definition.space_source is None:
        found.append("its space was made in a program")
    elif "name" not in definition.data and definition.space_source in bundled_spaces():
        found.append("its data were given in a program")
    if not (definition.cv or {}).get("is_number", True):
        found.append("its folds were given in a program")
    objects = [name for name, value in definition.options.items() if str(value).startswith(INSTANCE)]
    if objects:
        found.append(f"its engine was given an object for {' and '.join(objects)}")
    arguments = [name for name in definition.fit if name not in _HAS_FLAG]
    if arguments:
        found.append(f"its trainings were given {' and '.join(arguments)}")
    return " and ".join(found)


def _wanted(trials: Sequence[Trial]) -> int:
    """Return the number of trials; of a random search of scikit-learn's that was cut short, of its candidates."""
    candidates: list[int] = [
        run.note["candidates"] for trial in trials for run in trial.runs if "candidates" in run.note
    ]
    return max([len(trials), *candidates])


def _fixed(definition: Definition) -> dict[str, Any]:
    """Return what is not searched; of one name only what has one value wherever it applies."""
    found: dict[str, list[Any]] = {}
    for h in definition.hyperparameters:
        found.setdefault(h.name, []).append(h)
    return {
        name: same[0].default
        for name, same in found.items()
        if all(h.is_fixed and h.default == same[0].default for h in same)
    }


def _training(definition: Definition) -> list[Any]:
    """Return the words for how trials are trained; a space's own patience is overruled where the study had none."""
    patience = definition.patience
    if definition.anneal:
        return ["--anneal"] if patience is None else ["--anneal", "--patience", patience]
    return ["--patience", patience or 0]


def _text(value: Any) -> str:
    """Return a value as it is typed: text in quotes only where it would be read as something else."""
    if isinstance(value, str):
        return value if _is_plain(value) else json.dumps(value)
    if isinstance(value, (Mapping, list, tuple)):
        return json.dumps(value)
    return repr(value)  # None, True, a number


def _without_commas(value: Any) -> str:
    """Return a value of a configuration, in which commas part one value from the next."""
    text = _text(value)
    if isinstance(value, str) and ("," in text or "=" in text):
        return json.dumps(value).replace(",", "\\u002c").replace("=", "\\u003d")
    return text


def _is_plain(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return text not in ("True", "False", "None")
    return False
