"""The `tune` command.

`app` holds the commands, each in a module of its own; `tables` makes what a person reads, and `options` reads what a
person types. What is shown while a search runs is in `tuning.display`. Commands import what they need when they run, so
that `tune --help` answers at once.
"""

from __future__ import annotations

import os
import sys

__all__ = ["main"]

INTERRUPTED = 130
"""The exit code of a command that was interrupted."""


def main() -> None:
    """Run the command line."""
    _open_streams()
    try:
        from tuning.cli.app import run

        run()
    except KeyboardInterrupt:  # while importing; commands say for themselves what an interruption leaves behind
        sys.stderr.write("error: interrupted\n")
        raise SystemExit(INTERRUPTED) from None


def _open_streams() -> None:
    """Give standard streams that are closed (`<&-`, `2>&-`) a file without content.

    Otherwise the next file or socket that is opened would get the number of one, and whatever writes there, as
    TensorFlow does, would write into a database.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
            os.set_inheritable(number, True)
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, mode, closefd=False))
