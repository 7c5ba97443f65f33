"""The `tune` command.

`app` holds the commands, each in a module of its own; `tables` makes what a person reads, and `options` reads what a
person types. What is shown while a search runs is in `tuning.display`. Commands import what they need when they run, so
that `tune --help` answers at once.
"""

from tuning.cli.app import main

__all__ = ["main"]
