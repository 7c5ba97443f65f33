"""`python -m tuning.keras_tuner my_script.py`: a KerasTuner program as it is, with our driver behind `search()`."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

USAGE = "usage: python -m tuning.keras_tuner [-m MODULE | SCRIPT] [ARGUMENTS]"


def main() -> None:
    """Run a script, or a module after -m, as Python itself does, with searches of ours."""
    arguments = sys.argv[1:]
    if not arguments or arguments[0] in ("-h", "--help") or arguments == ["-m"]:
        raise SystemExit(USAGE)
    from tuning.keras_tuner import install

    install()
    if arguments[0] == "-m":
        sys.argv = arguments[1:]
        sys.path.insert(0, "")
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
        return
    sys.argv = arguments
    sys.path[0] = str(Path(arguments[0]).resolve().parent)
    runpy.run_path(arguments[0], run_name="__main__")


if __name__ == "__main__":
    main()
