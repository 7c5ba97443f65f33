"""Read what a person types: `NAME=VALUE`, and the options that several commands share."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import typer

from tuning.errors import StudyError, guess, must

LOGS = typer.Option(Path("logs"), "--logs", help="Folder of all studies.", show_default=True)
STORAGE = typer.Option(
    None,
    "--storage",
    envvar="TUNE_STORAGE",
    show_envvar=True,
    help="URL of a database for the trials, such as postgresql://...; default: a file in the study's folder.",
)
TRUST = typer.Option(
    False, "--trust", help="Run the module or .py file that the study names as its space, though others have made it."
)
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


def configuration(text: str) -> dict[str, Any]:
    """Read "HP=VALUE,HP=VALUE"; a comma inside a value does no harm, as no name and = follow it."""
    return pairs(re.split(r",(?=[^,=]+=)", text), "--try")


def literal(text: str) -> Any:
    """Return the value that a text stands for."""
    named = {"True": True, "False": False, "None": None}
    if text in named:
        return named[text]
    try:
        return json.loads(text)
    except ValueError:
        return text


def seconds(text: str | None, flag: str) -> float | None:
    """Read a duration: "90", "90s", "10m", "1h30m"; "never" is infinite."""
    if text is None or text == "never":
        return None if text is None else math.inf
    match = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s?)?", text.strip())
    if match is None or not any(match.groups()):
        raise typer.BadParameter(f"must be a duration such as 90s, 10m or 1h30m, but got {text!r}", param_hint=flag)
    hours, minutes, rest = (float(part or 0) for part in match.groups())
    return hours * 3600 + minutes * 60 + rest


def study_path(study: str, logs: Path, storage: str | None = None) -> Path:
    """Return the folder of a study, given by name or by path.

    Raises:
        StudyError: there is none.
    """
    from tuning.storage.folder import DATABASE
    from tuning.study import find_studies

    is_name = study not in ("", ".", "..") and Path(study).name == study
    if storage is not None:
        if not is_name:
            raise StudyError(must("study", "be the name of a study, which is that of a folder", study))
        return logs / study
    for path in ((logs / study,) if is_name else ()) + (Path(study),):
        if (path / DATABASE).is_file():
            return path
    names = [path.name for path in find_studies(logs)]
    known = f"There are {', '.join(names)}." if names else "There are none: `tune run` makes one."
    raise StudyError(f"`study` must be a study in '{logs}', but got '{study}'. {known} {guess(study, names)}".rstrip())
