"""Errors that the toolkit raises on purpose.

Owns the exception classes and the collector that lets one call report all of its mistakes at once.
Everything that a user can cause ends as a `TuningError`; any other exception is a bug of the toolkit.
"""

from __future__ import annotations

import difflib
import functools
import inspect
import re
import sys
import sysconfig
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import ParamSpec, TypeVar

_Given = ParamSpec("_Given")
_Returned = TypeVar("_Returned")
_Class = TypeVar("_Class")


class TuningError(Exception):
    """Base of all errors that the toolkit raises on purpose; its text says what to do."""

    def _render_traceback_(self) -> list[str]:
        """Return what IPython shows, which asks for it by this name: its usual block, without our frames."""
        from IPython import get_ipython

        shown: list[str] = get_ipython().InteractiveTB.structured_traceback(
            type(self), self, _chained(frame for frame in _frames(self) if not _is_ours(frame))
        )
        return shown


class OptionError(TuningError, ValueError):
    """An argument, option or name that was given does not fit."""


class SpaceError(TuningError, ValueError):
    """A search space cannot be found, loaded, built or trained."""


class DataError(TuningError):
    """Data is missing, cannot be read, or does not fit the model."""


class ObjectiveError(TuningError, ValueError):
    """The objective is not reported by training, or its direction is unknown."""


class StudyError(TuningError):
    """A study cannot be opened, resumed or continued."""


class SearchFailedError(TuningError):
    """Every trial of a search failed."""


class MovedError(TuningError, ImportError):
    """A release of another package has moved or removed what the toolkit needs of it."""


class Remark(UserWarning):
    """Something odd that was seen before a search, and is no proof that the search can only waste time."""


def briefly(function: Callable[_Given, _Returned]) -> Callable[_Given, _Returned]:
    """Return the function so that an error of ours is a short block: without our frames, with those of the user's code.

    The text of the error says what to do, and where in the toolkit it was found out helps nobody. What the user's own
    code has raised stays its cause, from the first frame of that code on.
    """

    @functools.wraps(function)
    def brief(*args: _Given.args, **given: _Given.kwargs) -> _Returned:
        __tracebackhide__ = True  # IPython leaves this frame out, too
        try:
            return function(*args, **given)
        except TuningError as error:
            cause = error.__context__ if error.__cause__ is None and not error.__suppress_context__ else error.__cause__
            raise error.with_traceback(None) from _from_the_user(cause)

    return brief


def brief_methods(kind: type[_Class]) -> type[_Class]:
    """Return the class, whose public methods raise errors of ours `briefly`."""
    for name, value in list(vars(kind).items()):
        if inspect.isfunction(value) and not name.startswith("_"):
            setattr(kind, name, briefly(value))
    return kind


_OURS = str(Path(__file__).parent)
_OF_OTHERS = (_OURS, *(sysconfig.get_paths()[name] for name in ("stdlib", "purelib", "platlib")), "<frozen ")


def _from_the_user(error: BaseException | None) -> BaseException | None:
    """Return an exception with its frames from the user's first on, without ours; None where no frame is the user's."""
    if error is None:
        return None
    frames = [frame for frame in _frames(error) if not _is_ours(frame)]
    while frames and _file(frames[0]).startswith(_OF_OTHERS):
        del frames[0]
    return error.with_traceback(_chained(frames)) if frames else None


def _frames(error: BaseException) -> Iterator[TracebackType]:
    at = error.__traceback__
    while at is not None:
        yield at
        at = at.tb_next


def _file(frame: TracebackType) -> str:
    return frame.tb_frame.f_code.co_filename


def _is_ours(frame: TracebackType) -> bool:
    return _file(frame).startswith(_OURS)


def _chained(frames: Iterable[TracebackType]) -> TracebackType | None:
    """Return a traceback of these frames alone."""
    shown: TracebackType | None = None
    for frame in reversed(list(frames)):
        shown = TracebackType(shown, frame.tb_frame, frame.tb_lasti, frame.tb_lineno)
    return shown


def users_line() -> int:
    """Return the `stacklevel` with which a warning of the caller's shows the line of the user's that called us."""
    callers = inspect.stack(0)[1:]
    return next(
        (level for level, caller in enumerate(callers, 1) if not caller.filename.startswith(_OURS)), len(callers)
    )


def refuse_unsupported_systems() -> None:
    """Raise an error on Windows, where workers and locks cannot be had in the way in which they are made here.

    Raises:
        TuningError: this is Windows.
    """
    if sys.platform == "win32":
        raise TuningError(
            "the system must be Linux or macOS, but this is Windows, which lacks what workers and locks are made of. "
            "Use WSL2 (https://learn.microsoft.com/windows/wsl/install), where everything works as on Linux."
        )


def moved(package: str, what: str) -> MovedError:
    """Return the error that the installed release of `package` (its name for pip) has no `what`."""
    from importlib import metadata  # takes longer than all the rest here

    try:
        version = metadata.version(package)
    except metadata.PackageNotFoundError:
        version = "of unknown version"
    return MovedError(
        f"{package} {version} has no {what}, which this version of keras-tuning needs. Install another release of "
        f"{package} (setup.cfg says from which on), or a newer keras-tuning."
    )


def must(name: str, rule: str, value: object, advice: str = "") -> str:
    """Word a mistake in the house style: `name` must RULE, but got VALUE. ADVICE."""
    text = f"`{name}` must {rule}, but got {value!r}."
    return f"{text} {advice}" if advice else text


def whole_number(name: str, value: object, least: int) -> list[str]:
    """Return the mistake that `value` is no whole number of at least `least`; none when it is. True is no number."""
    is_one = isinstance(value, int) and not isinstance(value, bool) and value >= least
    return [] if is_one else [must(name, f"be a whole number >= {least}", value)]


def guess(word: str, known: Iterable[str]) -> str:
    """Return "Did you mean 'x'?" for the closest known word, or an empty string."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"Did you mean '{close[0]}'?" if close else ""


def raise_all(mistakes: list[str], kind: type[TuningError] = OptionError) -> None:
    """Raise one error that names all `mistakes`; return when there are none."""
    if len(mistakes) == 1:
        raise kind(mistakes[0])
    if mistakes:
        raise kind(f"{len(mistakes)} things do not fit: " + " ".join(f"({i}) {m}" for i, m in enumerate(mistakes, 1)))


def writable(text: str) -> str:
    """Return text with what UTF-8 has no place for written out: half a surrogate pair, as names of files may have."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def one_line(error: BaseException, length: int = 500) -> str:
    """Return an exception's type and text on one line; of a long one the beginning and the end.

    Args:
        error: any exception.
        length: most characters.
    """
    try:
        text = str(error)
        text = text if len(text) <= 8 * length else f"{text[: 4 * length]} {text[-4 * length :]}"
        text = writable(re.sub(r"(?<![\w.>])(?:[\w.]|<\w+>)+<locals>\.", "", " ".join(text.split())))
    except Exception as second:  # it is the user's class
        text = f"its text cannot be had ({type(second).__name__})"
    line = f"{type(error).__name__}: {text}" if text else type(error).__name__
    half = (length - 5) // 2
    return line if len(line) <= length else f"{line[:half]} ... {line[-half:]}"
