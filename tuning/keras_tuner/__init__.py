"""KerasTuner's own objects, with our driver behind `search()`.

    import tuning.keras_tuner as kt

Owns that every public name of `keras_tuner` is found here, and is the very same object. `install`, `uninstall` and
`workers` are added.
"""

import sys

import keras_tuner
from keras_tuner import *  # noqa: F403
from keras_tuner import __version__ as __version__

from tuning.keras_tuner.switch import install, uninstall
from tuning.keras_tuner.workers import workers

__all__ = [*(name for name in vars(keras_tuner) if not name.startswith("_")), "install", "uninstall", "workers"]

for _name in [name for name in sys.modules if name.startswith("keras_tuner.")]:
    if not _name.startswith("keras_tuner.src"):  # `from tuning.keras_tuner.engine.tuner import ...`
        sys.modules.setdefault(f"tuning.{_name}", sys.modules[_name])

install()
