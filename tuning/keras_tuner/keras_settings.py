"""What a program has set in Keras for the whole process, and its workers need as well.

Owns which settings those are. A global dtype policy is none of them: KerasTuner clears it before each model.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras


class KerasSettings:
    """The settings of the process where it is pickled; unpickling it sets them."""

    def __reduce__(self) -> tuple[Any, ...]:
        config = keras.config
        known = keras.saving.get_custom_objects().items()
        # A library registers its own where it is imported.
        own = {name: found for name, found in known if ">" not in name or found.__module__ == "__main__"}
        return _set, (config.floatx(), config.epsilon(), config.image_data_format(), own)


def _set(floatx: str, epsilon: float, image_data_format: str, custom_objects: Mapping[str, Any]) -> None:
    keras.config.set_floatx(floatx)
    keras.config.set_epsilon(epsilon)
    keras.config.set_image_data_format(image_data_format)
    for name, found in custom_objects.items():
        package, _, registered = name.partition(">")
        if registered:
            keras.saving.register_keras_serializable(package, registered)(found)
        else:
            keras.saving.get_custom_objects()[name] = found
