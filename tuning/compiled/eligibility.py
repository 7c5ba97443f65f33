"""Says why a call of `fit` cannot be run as compiled epochs.

Owns the reasons that can be seen before anything is traced. What is found here is left to `model.fit`, which
also raises whatever is to be raised.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras

from tuning.compiled import backends, private

_BATCH_HOOKS = (
    "on_batch_begin",
    "on_batch_end",
    "on_train_batch_begin",
    "on_train_batch_end",
    "on_test_batch_begin",
    "on_test_batch_end",
)
_OWN_LOOPS = ("fit", "evaluate", "make_train_function", "make_test_function")


def why_not(model: Any, arguments: Mapping[str, Any]) -> str | None:
    """Return why `model.fit(**arguments)` must be run by Keras, or None.

    Args:
        model: what to train.
        arguments: all arguments of `fit`.
    """
    return _model_reason(model) or _argument_reason(arguments) or _callback_reason(arguments["callbacks"])


def _model_reason(model: Any) -> str | None:
    if backends.name() not in backends.SUPPORTED:
        return f"Keras runs on {backends.name()}"
    if not model.compiled:
        return "the model is not compiled"
    for name in (*_OWN_LOOPS, private.name_of("make_function", keras.Model)):
        if getattr(type(model), name, None) is not getattr(keras.Model, name):
            return f"{type(model).__name__} has its own `{name}`"
        if name in vars(model) and name != "fit":
            return f"the model has its own `{name}`"
    if model.run_eagerly:
        return "run_eagerly is set"
    layers = private.of(model, "flatten_layers")()
    without = next((layer.name for layer in layers if not layer.supports_jit), None)
    if without is not None:
        return f"layer {without} does not support XLA"
    if not model.jit_compile and private.of(model, "resolve_auto_jit_compile")():
        return "jit_compile is off"
    if keras.distribution.distribution() is not None:
        return "a distribution is set"
    return backends.current().why_not(model)


def has_accelerator() -> bool:
    """Tell whether Keras can compute on anything besides CPUs."""
    return backends.current().has_accelerator()


def _argument_reason(arguments: Mapping[str, Any]) -> str | None:
    validation = keras.utils.unpack_x_y_sample_weight(arguments["validation_data"])[0]
    for name, x in (("steps_per_epoch", arguments["x"]), ("validation_steps", validation)):
        if arguments[name] is not None and not comes_in_batches(x):
            return f"{name} is given"
    if comes_in_batches(arguments["x"]) and arguments["validation_split"]:
        return "validation_split is given"
    if not isinstance(arguments["shuffle"], bool):
        return f"shuffle is {arguments['shuffle']!r}"
    if not isinstance(arguments["validation_freq"], (int, list)):
        return f"validation_freq is {arguments['validation_freq']!r}"
    for name in ("max_epochs", "max_steps_per_epoch"):
        if hasattr(keras.config, name) and getattr(keras.config, name)() is not None:
            return f"keras.config.{name} is set"
    return None


def comes_in_batches(x: Any) -> bool:
    """Tell whether data are no arrays, nor lists or dicts of arrays, and can be read batch by batch."""
    return backends.name() == "tensorflow" and x is not None and not private.get("can_convert_arrays")((x,))


def _callback_reason(callbacks: Any) -> str | None:
    found = looks_at_batches(callbacks)
    if found is not None:
        return found
    for callback in _listed(callbacks):
        if not _is_default(callback, "on_test_begin") and not _may_begin_tests(callback):
            return f"callback {type(callback).__name__} acts between training and validation (on_test_begin)"
    return None


def looks_at_batches(callbacks: Any) -> str | None:
    """Return which of the callbacks of a `fit` must hear of single batches, or None."""
    for callback in _listed(callbacks):
        hooks = [hook for hook in _BATCH_HOOKS if not _is_default(callback, hook)]
        if hooks and not _is_known(callback, hooks):
            return f"callback {type(callback).__name__} looks at single batches ({hooks[0]})"
    return None


def _listed(callbacks: Any) -> list[Any]:
    if isinstance(callbacks, keras.callbacks.CallbackList):
        callbacks = callbacks.callbacks
    return list(keras.tree.flatten(callbacks)) if callbacks else []


def _is_default(callback: Any, hook: str) -> bool:
    own = getattr(type(callback), hook, None)
    return own is getattr(keras.callbacks.Callback, hook) and hook not in vars(callback)


def _is_known(callback: Any, hooks: list[str]) -> bool:
    """Tell whether a callback of Keras needs none of its batch hooks, set as it is."""
    known = ("ModelCheckpoint", "BackupAndRestore", "TensorBoard", "ProgbarLogger", "TerminateOnNaN")
    own = type(callback)
    for kind in (getattr(keras.callbacks, name) for name in known):
        if isinstance(callback, kind):
            inherited = all(h not in vars(callback) and getattr(own, h) is getattr(kind, h) for h in hooks)
            return inherited and _acts_on_epochs(callback)
    return False


def _acts_on_epochs(callback: Any) -> bool:
    if isinstance(callback, keras.callbacks.TensorBoard):
        return callback.update_freq == "epoch" and not private.of(callback, "should_trace")
    return getattr(callback, "save_freq", "epoch") == "epoch"


def _may_begin_tests(callback: Any) -> bool:
    return any(
        isinstance(callback, kind) and type(callback).on_test_begin is kind.on_test_begin
        for kind in (keras.callbacks.TensorBoard, keras.callbacks.ProgbarLogger)
    )
