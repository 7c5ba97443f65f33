"""What makes the models of a program's own space open again without the program.

A space that was made in a program has no name by which it can be found. So, when a search of one ends, the models that
are kept are written whole beside their weights, and the text of the function or class is stored to be read. The text is
never run, and the files are opened in Keras's safe mode.
"""

from __future__ import annotations

import contextlib
import inspect
from typing import Any

from tuning.files import write_text
from tuning.preflight.fingerprint import OURS
from tuning.space import SearchSpace
from tuning.storage.folder import CHECKPOINTS, SOURCE
from tuning.study import Study
from tuning.study.models import checkpoint
from tuning.training import checkpoints, export
from tuning.training.seeding import generators_kept


@generators_kept()
def write_kept(study: Study, space: SearchSpace) -> None:
    """Write the models of a finished search whole, and the text of its space, where that is a program's own.

    What cannot be written, such as a model without a configuration, is left out: the weights are there all the same.
    """
    build = space.parts_of_code()["build"]
    if study.definition.space_source is not None or _is_ours(build):
        return
    with contextlib.suppress(OSError, TypeError):  # made by exec, or in C
        write_text(study.folder / SOURCE, inspect.getsource(_subject(space)))
    folder, wanted = study.folder / CHECKPOINTS, set()
    for number in checkpoints.kept_trials(folder):
        for training, weights in enumerate(
            checkpoint(study, study._trial(number), n) for n in range(len(study.definition.training_names))
        ):
            if weights is None:
                continue
            path = checkpoints.whole_path(weights)
            wanted.add(path)
            if not path.is_file() or path.stat().st_mtime < weights.stat().st_mtime:
                with contextlib.suppress(Exception):
                    models = study.models(number) if study.definition.is_divided else [study.model(number)]
                    export.save(models[training], path)
    for path in {*folder.glob("*.keras")} - wanted:
        path.unlink(missing_ok=True)


def _is_ours(build: object) -> bool:
    return str(getattr(build, "__module__", "")).partition(".")[0] in OURS


def _subject(space: SearchSpace) -> Any:
    """Return what a person wrote: a function, or the class of a space or HyperModel."""
    if type(space).__module__.partition(".")[0] not in OURS:
        return type(space)
    build = space.parts_of_code()["build"]
    owner = getattr(build, "__self__", None)
    return build if owner is None else type(owner)
