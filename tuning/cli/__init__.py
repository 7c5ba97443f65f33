"""The `tune` command.

`app` holds the commands, each in a module of its own; `tables` and `progress` make what a person reads;
`options` reads what a person types. This is the only room that prints. Commands import what they need when
they run, so that `tune --help` answers at once.
"""

from tuning.cli.app import main

__all__ = ["main"]
