"""What a program has set in Keras for the whole process, and its workers need as well.

Owns which settings those are.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import cloudpickle

from tuning.space.imports import import_keras

_USUAL: tuple[Any, ...] = ("float32", 1e-7, "channels_last", "float32", {})


class KerasSettings:
    """The settings of the process where it is pickled; unpickling it sets them.

    Where Keras is not loaded, or everything is as usual, it does nothing, and loads nothing.
    """

    def __reduce__(self) -> tuple[Any, ...]:
        keras = sys.modules.get("keras")
        if keras is None:
            return KerasSettings, ()
        config = keras.config
        given = config.floatx(), config.epsilon(), config.image_data_format(), config.dtype_policy().name
        settings = (*given, dict(_own_objects(keras)))
        return (KerasSettings, ()) if settings == _USUAL else (_set, settings)


def _own_objects(keras: Any) -> Iterator[tuple[str, Any]]:
    """Yield the custom objects that no import registers elsewhere, and that can be sent."""
    for name, found in keras.saving.get_custom_objects().items():
        if ">" in name and getattr(found, "__module__", None) != "__main__":
            continue  # a library registers its own where it is imported
        with contextlib.suppress(Exception):  # whatever needs it where it is not will say so
            cloudpickle.dumps(found)
            yield name, found


def _set(floatx: str, epsilon: float, image_data_format: str, policy: str, custom_objects: Mapping[str, Any]) -> None:
    import_keras()
    import keras

    keras.config.set_floatx(floatx)
    keras.config.set_epsilon(epsilon)
    keras.config.set_image_data_format(image_data_format)
    keras.config.set_dtype_policy(policy)
    for name, found in custom_objects.items():
        package, _, registered = name.partition(">")
        if registered:
            keras.saving.register_keras_serializable(package, registered)(found)
        else:
            keras.saving.get_custom_objects()[name] = found
