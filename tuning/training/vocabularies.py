"""What layers learn that is no weight, by `adapt`: vocabularies of `StringLookup` and `TextVectorization`, and bins.

Owns reading them off a model and giving them back to one of the same architecture. A `fit` that adapts such a layer
knows them alone, and Keras's files of weights leave them out.
"""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tuning.training.shapes import parts_of

_BYTES = "latin-1"
"""Writes down any bytes as text and back."""
_BINS = "bin_boundaries"


def vocabularies_of(model: Any) -> str | None:
    """Return what the model's layers have learned besides weights, as JSON; None for nothing."""
    found = {}
    for place, layer in enumerate(_learners(model, set())):
        if _has_bins(layer):
            if layer.bin_boundaries is not None:
                found[str(place)] = {_BINS: json.dumps(list(map(float, layer.bin_boundaries)))}
            continue
        with tempfile.TemporaryDirectory(prefix="tuning-") as folder:
            with contextlib.suppress(Exception):  # it has learned nothing yet
                layer.save_assets(folder)
            files = {path.name: path.read_bytes().decode(_BYTES) for path in Path(folder).iterdir() if path.is_file()}
        if files:
            found[str(place)] = files
    return json.dumps(found) if found else None


def give(model: Any, vocabularies: str) -> None:
    """Give a model's layers what `vocabularies_of` returned for one of the same architecture."""
    known = json.loads(vocabularies)
    for place, layer in enumerate(_learners(model, set())):
        if str(place) not in known:
            continue
        if _has_bins(layer):
            layer.bin_boundaries = json.loads(known[str(place)][_BINS])
            continue
        with tempfile.TemporaryDirectory(prefix="tuning-") as folder:
            for name, text in known[str(place)].items():
                Path(folder, name).write_bytes(text.encode(_BYTES))
            with contextlib.suppress(Exception):  # nothing was learned, of which TensorFlow makes no table
                layer.load_assets(folder)


def _has_bins(layer: Any) -> bool:
    """Tell whether a layer learns the bounds of bins; `Discretization` keeps them in its configuration alone."""
    return hasattr(layer, "bin_boundaries") and hasattr(layer, "adapt")


def _learners(layer: Any, seen: set[int]) -> Iterator[Any]:
    """Yield the layers that keep something in files of their own; what they are made of is theirs."""
    seen.add(id(layer))
    for part in parts_of(layer):
        if id(part) in seen:
            continue
        if _has_bins(part) or (hasattr(part, "save_assets") and hasattr(part, "load_assets")):
            seen.add(id(part))
            yield part
        else:
            yield from _learners(part, seen)
