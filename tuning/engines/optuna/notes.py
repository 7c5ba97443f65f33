"""What Optuna's samplers write down for themselves, as it is stored with a run and given back when a search goes on.

Owns which of it comes from a database. The CMA-ES sampler writes down its optimizer as a pickle, and unpickling runs
whatever a pickle names. Such a state is therefore neither stored nor given back: the note says only that there was one,
and the sampler makes it again from the trials that it had then.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

KINDS = ("trial", "study")
"""What samplers write to."""

REMAKE = "remake"
"""In the note of a run: its sampler had written down a state that is made again from the trials."""

_STATE = "optimizer"  # part of the names of attributes that may hold pickles


def note_of(trial: Mapping[str, Any], study: Mapping[str, Any]) -> dict[str, Any]:
    """Return the note of what a sampler has written to a trial and to its study."""
    kept: dict[str, Any] = {kind: _harmless(attrs) for kind, attrs in zip(KINDS, (trial, study), strict=True)}
    note = {kind: attrs for kind, attrs in kept.items() if attrs}
    return {**note, REMAKE: True} if len(kept["trial"]) < len(trial) else note


def written(note: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """Return what a note holds of one of `KINDS`."""
    return _harmless(note.get(kind, {}))


def is_remade(note: Mapping[str, Any]) -> bool:
    """Tell whether the sampler has to make its state again; notes of earlier versions hold the state itself."""
    trial = note.get("trial", {})
    return bool(note.get(REMAKE)) or len(_harmless(trial)) < len(trial)


def _harmless(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in attributes.items() if _STATE not in name}
