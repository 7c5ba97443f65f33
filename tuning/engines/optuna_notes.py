"""What Optuna's samplers have written down for themselves, checked before they get it back.

Owns the check. The CMA-ES sampler keeps its optimizer as a pickle, and unpickling runs whatever a pickle names; what
comes from a database may therefore name nothing but the optimizers of cmaes and NumPy's arrays and generators.
"""

from __future__ import annotations

import io
import pickle
import re
from collections.abc import Mapping
from typing import Any

from tuning.errors import StudyError

_OPTIMIZER = re.compile(r"(.*optimizer.*):(\d+)")
_NUMPY = {
    "_reconstruct": (r"numpy\.(_core|core)\.multiarray",),
    "scalar": (r"numpy\.(_core|core)\.multiarray",),
    "_frombuffer": (r"numpy\.(_core|core)\.numeric",),
    "ndarray": ("numpy",),
    "dtype": ("numpy",),
    "RandomState": ("numpy.random", r"numpy\.random\.mtrand"),
    "MT19937": (r"numpy\.random\._mt19937",),
    "__randomstate_ctor": (r"numpy\.random\._pickle",),
    "__bit_generator_ctor": (r"numpy\.random\._pickle",),
}
_OPTIMIZERS = ("CMA", "CMAwM", "SepCMA")


def check(note: Mapping[str, Any], number: int) -> None:
    """Refuse the note of a run whose pickles name anything else.

    Raises:
        StudyError: names the trial.
    """
    chunks: dict[str, dict[int, Any]] = {}
    for attributes in note.values():
        for key, value in attributes.items() if isinstance(attributes, Mapping) else ():
            match = _OPTIMIZER.fullmatch(key)
            if match:
                chunks.setdefault(match[1], {})[int(match[2])] = value
    for parts in chunks.values():
        try:
            _Restricted(io.BytesIO(bytes.fromhex("".join(parts[i] for i in range(len(parts)))))).load()
        except Exception as error:  # whatever can be wrong with a pickle
            raise StudyError(
                f"the state of the sampler in trial {number} must be an optimizer of cmaes, but it is not ({error}). "
                "Something else has written it; the study is not continued."
            ) from None


class _Restricted(pickle.Unpickler):
    """Finds what an optimizer is made of, and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        is_optimizer = re.fullmatch(r"cmaes\.\w+", module) and name in _OPTIMIZERS
        if is_optimizer or any(re.fullmatch(pattern, module) for pattern in _NUMPY.get(name, ())):
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"it names {module}.{name}")
