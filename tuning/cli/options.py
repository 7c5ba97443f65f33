"""Read what a person types: `NAME=VALUE`, and the options that several commands share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import typer

from tuning.errors import StudyError, guess

LOGS = typer.Option(Path("logs"), "--logs", help="Folder of all studies.", show_default=True)
JSON = typer.Option(False, "--json", help="Print JSON to standard output.")


def pairs(given: list[str] | None, flag: str) -> dict[str, Any]:
    """Read `NAME=VALUE` texts; values are JSON (3, 0.1, true, [1, 2]), True, False, None, or plain text."""
    read: dict[str, Any] = {}
    for text in given or ():
        name, sign, value = text.partition("=")
        if not sign or not name:
            raise typer.BadParameter(f"must be NAME=VALUE, but got {text!r}", param_hint=flag)
        read[name] = literal(value)
    return read


def literal(text: str) -> Any:
    """Return the value that a text stands for."""
    named = {"True": True, "False": False, "None": None}
    if text in named:
        return named[text]
    try:
        return json.loads(text)
    except ValueError:
        return text


def study_path(study: str, logs: Path) -> Path:
    """Return the folder of a study, given by name or by path.

    Raises:
        StudyError: there is none.
    """
    from tuning.store import DATABASE
    from tuning.study import find_studies

    for path in (logs / study, Path(study)):
        if (path / DATABASE).is_file():
            return path
    names = [path.name for path in find_studies(logs)]
    known = f"There are {', '.join(names)}." if names else "There are none: `tune run` makes one."
    raise StudyError(f"`study` must be a study in '{logs}', but got '{study}'. {known} {guess(study, names)}".rstrip())
