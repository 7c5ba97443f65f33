"""Which machines can train what this one searches: versions that must agree, and those that should.

Owns the comparison.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib import metadata

PYTHON, TUNING = "Python", "keras-tuning"
OTHERS = ("keras", "tensorflow", "numpy")
"""Packages whose difference is remarked on."""


def installed() -> dict[str, str]:
    """Return the versions in this environment, without importing what they are of."""
    from tuning import __version__

    found = {PYTHON: platform.python_version(), TUNING: __version__}
    for name in OTHERS:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "none"
    return found


def refused(mine: Mapping[str, str], theirs: Mapping[str, str]) -> list[str]:
    """Say which versions keep a machine from training: code is sent as bytes of Python, messages as records of ours."""
    found = []
    if _minor(mine[PYTHON]) != _minor(theirs.get(PYTHON, "none")):
        found.append(_said(PYTHON, mine, theirs))
    if mine[TUNING] != theirs.get(TUNING):
        found.append(_said(TUNING, mine, theirs))
    return found


def differing(mine: Mapping[str, str], theirs: Mapping[str, str]) -> list[str]:
    """Say which other versions differ."""
    return [_said(name, mine, theirs) for name in OTHERS if mine[name] != theirs.get(name)]


def _minor(version: str) -> list[str]:
    return version.split(".")[:2]


def _said(name: str, mine: Mapping[str, str], theirs: Mapping[str, str]) -> str:
    return f"{name} {theirs.get(name, 'none')} instead of {mine[name]}"
