"""Models as files for others: Keras's own format, weights alone, or a SavedModel of TensorFlow.

Owns which format a name stands for. The name decides, because Keras goes by
the name when it loads.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, Literal

from tuning.compiled import private
from tuning.errors import OptionError, SpaceError, StudyError, must, one_line
from tuning.files import remove, replaced

Format = Literal["keras", "weights", "saved_model"]


def format_of(path: str | Path) -> Format:
    """Return the format that a file's or folder's name stands for.

    Raises:
        OptionError: the name says none, or a folder that is there holds something else.
    """
    path = Path(path)
    if path.name.endswith(".keras"):
        return "keras"
    if path.name.endswith(".weights.h5"):
        return "weights"
    if path.suffix:
        advice = f"Keras reads weights from {path.stem}.weights.h5." if path.suffix in (".h5", ".hdf5") else ""
        rule = "end in .keras (whole model) or .weights.h5 (weights), or be a folder (SavedModel)"
        raise OptionError(must("save", rule, str(path), advice))
    if path.exists() and not (path / "saved_model.pb").is_file():
        raise OptionError(must("save", "be a new folder, or one with a SavedModel in it", str(path)))
    return "saved_model"


def save(model: Any, path: str | Path, x: Any = None) -> Path:
    """Write a built Keras model; return where it is.

    Args:
        model: a built `keras.Model`.
        path: names the format; see `format_of`. What is there already is replaced.
        x: inputs from which a SavedModel takes shapes and types, where the model does not know its own.

    Raises:
        OptionError: the name says no format.
        SpaceError: Keras cannot save a whole model of its class.
        StudyError: it cannot be written.
    """
    path, kind = Path(path), format_of(path)
    ending = {"keras": ".keras", "weights": ".weights.h5", "saved_model": ""}[kind]
    draft = path.with_name(f".{path.name.removesuffix(ending)}.unfinished{ending}")
    try:
        with replaced(path, draft):
            if kind == "keras":
                with private.without_tensorflow():
                    refuse_unsavable(model)
                    model.save(draft)
            elif kind == "weights":
                model.save_weights(draft)
            else:
                remove(draft)
                model.export(str(draft), verbose=False, input_signature=_signature(model, x))
    except OSError as error:
        raise StudyError(f"the model could not be saved as {path}: {error}.") from error
    return path


def refuse_unsavable(model: Any) -> None:
    """Refuse a model that Keras cannot save whole.

    Raises:
        SpaceError: it is of a class that cannot say how it was made.
    """
    import keras

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            keras.saving.serialize_keras_object(model)
    except Exception as error:
        raise _unsavable(error) from error


def _unsavable(error: Exception) -> SpaceError:
    return SpaceError(
        f"the model cannot be saved whole: {one_line(error)} A class of your own needs a get_config, and "
        "@keras.saving.register_keras_serializable() above it. Weights alone can be saved as they are, in a file "
        "NAME.weights.h5."
    )


def load(path: str | Path, untrained: Any) -> Any:
    """Return the model in a file that `save` wrote.

    Args:
        path: a .keras or .weights.h5 file.
        untrained: a built model of the same architecture, which takes weights that come alone.

    Raises:
        SpaceError: Keras does not know the classes that the model is made of.
    """
    if format_of(path) == "weights":
        return load_weights(path, untrained)
    import keras

    try:
        return keras.models.load_model(path, safe_mode=True)  # nothing that it holds is run
    except (TypeError, ValueError) as error:
        raise SpaceError(
            f"{path} is written, but Keras cannot load it: {' '.join(str(error).split())[:300]}. Where a class of your "
            "own is unknown, write @keras.saving.register_keras_serializable() above it, and give it a get_config."
        ) from error


def load_weights(path: str | Path, untrained: Any) -> Any:
    """Return `untrained` with the weights, and the optimizer's state, in a .keras or .weights.h5 file."""
    import keras

    optimizer = untrained.optimizer
    if isinstance(optimizer, keras.optimizers.Optimizer) and not optimizer.built:
        optimizer.build(untrained.trainable_variables)
    untrained.load_weights(path)
    return untrained


def _signature(model: Any, x: Any) -> Any:
    """Return what the inputs look like, for a model that is no graph of layers; None for one that knows."""
    import keras
    import tensorflow as tf

    if x is None or isinstance(model, keras.Sequential) or getattr(model, "inputs", None):
        return None
    if hasattr(x, "element_spec"):
        spec = x.element_spec
        return [spec[0] if isinstance(spec, tuple) else spec]
    return [keras.tree.map_structure(lambda a: tf.TensorSpec((None, *a.shape[1:]), _type(a)), x)]


def _type(array: Any) -> Any:
    """Return the type in which Keras feeds an array."""
    dtype = getattr(array, "dtype", None)  # a DataFrame has several
    return "float32" if dtype is None or dtype.kind == "f" else dtype
