"""Turns our driver on and off for all tuners of KerasTuner's in this process.

Owns the two functions that are replaced: `search`, and the one that writes JSON, so that no file is left half written.
"""

from __future__ import annotations

from typing import Any

from tuning.keras_tuner import private
from tuning.keras_tuner.search import search_with

_genuine: dict[str, Any] = {}


def install() -> None:
    """Have every tuner's `search` run our driver, wherever `keras_tuner` was imported. Importing this room does it."""
    if not _genuine:
        _genuine.update(search=private.base_tuner().search, save=private.stateful().save)
        private.base_tuner().search = search_with(lambda *args, **kwargs: _genuine["search"](*args, **kwargs))
        private.stateful().save = private.save_whole


def uninstall() -> None:
    """Give KerasTuner's own functions back."""
    if _genuine:
        private.base_tuner().search, private.stateful().save = _genuine["search"], _genuine["save"]
        _genuine.clear()
