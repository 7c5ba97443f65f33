"""Files of samples, read as the model was trained to see them.

Owns the description of a sample, which is stored with a final model so that predicting needs no training data, and
the reading of .npz and .csv files against it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from tuning.data.record import holds_texts, is_ragged
from tuning.errors import DataError, guess, must, raise_all

Kind = Literal["array", "mapping", "sequence", "table"]


@dataclass(frozen=True)
class Part:
    """One array of the inputs.

    Attributes:
        name: of the input or column; `x` for a single array, `x0`, `x1` ... for a sequence.
        shape: of one sample.
        dtype: as trained on.
        low, high: least and greatest value that training saw; None for what is no number.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    low: float | None = None
    high: float | None = None

    @property
    def size(self) -> int:
        return math.prod(self.shape)


@dataclass(frozen=True)
class Inputs:
    """What the inputs of a model look like.

    Attributes:
        kind: one array, a mapping or sequence of arrays, or a table (a DataFrame), whose parts are its columns.
        parts: the arrays.
    """

    kind: Kind
    parts: tuple[Part, ...]

    @classmethod
    def of(cls, x: Any) -> Inputs | None:
        """Describe the inputs that a model was trained on; None for what is no array, such as a generator."""
        if hasattr(x, "columns") and hasattr(x, "to_numpy"):
            return cls("table", tuple(_part(str(name), x[name].to_numpy()) for name in x.columns))
        if isinstance(x, Mapping):
            named, kind = {str(name): value for name, value in x.items()}, "mapping"
        elif isinstance(x, (list, tuple)) and all(hasattr(part, "shape") for part in x):
            named, kind = {f"x{i}": value for i, value in enumerate(x)}, "sequence"
        else:
            named, kind = {"x": x}, "array"
        arrays = named.values()
        if any(map(is_ragged, arrays)) or not all(hasattr(v, "shape") and hasattr(v, "dtype") for v in arrays):
            return None
        return cls(kind, tuple(_part(name, value) for name, value in named.items()))  # type: ignore[arg-type]

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object; `from_json` reads it."""
        return {"kind": self.kind, "parts": [{**asdict(part), "shape": list(part.shape)} for part in self.parts]}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Inputs:
        """Read what `to_json` wrote."""
        return cls(record["kind"], tuple(Part(**{**p, "shape": tuple(p["shape"])}) for p in record["parts"]))

    def read(self, path: str | Path) -> tuple[Any, int]:
        """Return the samples in a file, and how many there are.

        Args:
            path: a .npz file with an array for each part, or a .csv file with a line of names and a line a sample.

        Raises:
            DataError: the file cannot be read, or does not hold such samples.
        """
        path = Path(path)
        if not path.is_file():
            raise DataError(f"`input` must be a file, but there is no '{path}'.")
        if path.suffix == ".npz":
            arrays = self._from_npz(path)
        elif path.suffix == ".csv":
            arrays = self._from_csv(path)
        else:
            raise DataError(must("input", "be a .npz or a .csv file", str(path)))
        arrays = {part.name: self._checked(part, arrays[part.name], path) for part in self.parts}
        counts = {name: len(array) for name, array in arrays.items()}
        if len(set(counts.values())) > 1:
            raise DataError(f"the arrays of {path} must have the same number of samples, but have {counts}.")
        n = next(iter(counts.values()))
        if n == 0:
            raise _nothing_in(path)
        return self._packed(arrays), n

    def unusual(self, x: Any) -> list[str]:
        """Say which arrays go far beyond what training saw, as pixels do that were not divided by 255."""
        remarks = []
        for part in self.parts:
            array = x if self.kind == "array" else x[part.name if self.kind != "sequence" else int(part.name[1:])]
            if part.low is None or part.high is None:
                continue
            low, high = float(np.min(array)), float(np.max(array))
            reach = 2 * (part.high - part.low)
            if low < part.low - reach or high > part.high + reach:
                remarks.append(
                    f"'{part.name}' goes from {low:.4g} to {high:.4g}; in training it went from {part.low:.4g} to "
                    f"{part.high:.4g}. Is it scaled as the training data were?"
                )
        return remarks

    def _from_npz(self, path: Path) -> dict[str, Any]:
        try:
            with np.load(path, allow_pickle=False) as file:
                found = {name: file[name] for name in file.files}
        except Exception as error:  # whatever can be wrong with a file
            raise DataError(f"{path} must be a .npz file of arrays, but could not be read: {error}.") from None
        names = [part.name for part in self.parts]
        if len(names) == 1 and len(found) == 1:
            return dict(zip(names, found.values(), strict=True))
        if self.kind == "sequence" and all(f"arr_{i}" in found for i in range(len(names))):  # numpy.savez(file, a, b)
            return {name: found[f"arr_{i}"] for i, name in enumerate(names)}
        held = ", ".join(found) or "none"
        raise_all(
            [
                f"{path} must hold an array '{name}', but holds {held}. {guess(name, found)}".rstrip()
                for name in names
                if name not in found
            ],
            DataError,
        )
        return found

    def _from_csv(self, path: Path) -> dict[str, Any]:
        import pandas

        try:
            table = pandas.read_csv(path)
        except Exception as error:  # pandas has many
            raise DataError(f"{path} must be a table with a line of names, but could not be read: {error}.") from None
        names = list(table.columns)
        if all(map(_is_number, names)) and names != [str(i) for i in range(len(names))]:  # the first line is a sample
            table = pandas.read_csv(path, header=None)
            table.columns = table.columns.astype(str)
        if not len(table):
            raise _nothing_in(path)
        if self.kind == "table":
            raise_all(
                [
                    f"{path} must have a column '{part.name}'. {guess(part.name, table.columns)}".rstrip()
                    for part in self.parts
                    if part.name not in table
                ],
                DataError,
            )
            return {part.name: table[part.name].to_numpy() for part in self.parts}
        wanted = sum(part.size for part in self.parts)
        if len(table.columns) != wanted:
            listed = ", ".join(f"{part.name} {list(part.shape)}" for part in self.parts)
            raise DataError(
                f"{path} must have {wanted} columns, the values of one sample ({listed}) in order, but has "
                f"{len(table.columns)}: {', '.join(map(str, table.columns[:8]))}{', ...' * (len(table.columns) > 8)}."
            )
        _refuse_text(table, path)
        arrays, start = {}, 0
        for part in self.parts:
            columns = table.iloc[:, start : start + part.size].to_numpy()
            arrays[part.name] = columns.reshape(len(table), *part.shape)
            start += part.size
        return arrays

    def _checked(self, part: Part, array: np.ndarray, path: Path) -> np.ndarray:
        """Return the array in the type that was trained on."""
        if array.ndim != len(part.shape) + 1 or array.shape[1:] != part.shape:
            wanted = ", ".join(["n", *map(str, part.shape)])
            raise DataError(f"'{part.name}' in {path} must have shape [{wanted}], but has {list(array.shape)}.")
        if np.dtype(part.dtype).kind not in "biufc":
            return array
        if array.dtype.kind not in "biufc":
            raise DataError(f"'{part.name}' in {path} must be numbers, but is of type {array.dtype}.")
        if array.dtype.kind in "fc" and not np.isfinite(array).all():
            row = int(np.argwhere(~np.isfinite(array))[0][0])
            raise DataError(
                f"'{part.name}' in {path} must be finite, but sample {row} (from 0) is empty, NaN or infinite."
            )
        return array.astype(part.dtype)

    def _packed(self, arrays: Mapping[str, Any]) -> Any:
        if self.kind == "array":
            return next(iter(arrays.values()))
        if self.kind == "sequence":
            return tuple(arrays.values())
        if self.kind == "mapping":
            return dict(arrays)
        import pandas

        return pandas.DataFrame(arrays)


def _part(name: str, value: Any) -> Part:
    is_numeric = isinstance(value, np.ndarray) and value.dtype.kind in "biuf" and value.shape[0] > 0
    low, high = (float(value.min()), float(value.max())) if is_numeric else (None, None)
    dtype = str(value.dtype) if hasattr(value.dtype, "kind") else value.dtype.name  # TensorFlow's
    return Part(name, tuple(map(int, value.shape[1:])), "str" if holds_texts(value) else dtype, low, high)


def _nothing_in(path: Path) -> DataError:
    return DataError(f"{path} must hold samples, but has none.")


def _refuse_text(table: Any, path: Path) -> None:
    texts = [str(name) for name in table.columns if table[name].dtype.kind not in "biuf"]
    if texts:
        raise DataError(f"the columns of {path} must be numbers, but {', '.join(texts[:5])} hold text.")


def _is_number(text: Any) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
