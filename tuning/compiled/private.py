"""What is used of Keras and TensorFlow although it is not public: all such names, and where each is looked for.

Owns the names and nothing that is done with them. A release may move any of them, and then `get` and `of` raise
`GoneError`. Whoever asks can either do without, or lets the error reach `fit`, which leaves the call to `model.fit`
and records why: a name that has moved costs speed, never a trial. No default stands in for a name, because what is
computed with it would be another number. Nothing is imported before it is asked for, so that importing this room
cannot fail.
"""

from __future__ import annotations

import collections
import functools
import itertools
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from importlib import import_module
from typing import Any

_ADAPTERS = "keras.src.trainers.data_adapters"
_XLA = "tensorflow.compiler.tf2xla.python.xla"

MODULES: dict[str, str] = {
    "get_random_seed": "keras.src.utils.rng_utils",
    "global_seed": "tensorflow.python.eager.context",
    "can_convert_arrays": f"{_ADAPTERS}.array_data_adapter",
    "ArrayDataAdapter": f"{_ADAPTERS}.array_data_adapter",
    "convert_to_sliceable": f"{_ADAPTERS}.array_slicing",
    "EpochIterator": "keras.src.trainers.epoch_iterator",
    "train_validation_split": f"{_ADAPTERS}.array_slicing",
    "GLOBAL_STATE_TRACKER": "keras.src.backend.common.global_state",
    "get_global_attribute": "keras.src.backend.common.global_state",
    "set_global_attribute": "keras.src.backend.common.global_state",
    "tensorflow": "keras.src.utils.module_utils",
    "set_dynamic_dimension_size": _XLA,
    "remove_dynamic_dimension_size": _XLA,
}
"""Functions and classes, and the modules that they are in."""

_CONTROL_FLOW = "tensorflow.python.ops.control_flow_util_v2"
_FUNCTION = "tensorflow.python.eager.polymorphic_function.concrete_function"
_NAMING = (
    *((_CONTROL_FLOW, name) for name in ("unique_fn_name", "unique_grad_fn_name")),
    *((_FUNCTION, name) for name in ("_inference_name", "_forward_name", "_backward_name")),
)
"""Modules, and what makes up the names of traced functions in them."""

ATTRIBUTES: dict[str, tuple[str, str]] = {
    "flatten_layers": ("model", "_flatten_layers"),
    "symbolic_build": ("model", "_symbolic_build"),
    "initial_epoch": ("model", "_initial_epoch"),
    "resolve_auto_jit_compile": ("model", "_resolve_auto_jit_compile"),
    "make_function": ("model", "_make_function"),
    "compile_config": ("model", "_compile_config"),
    "own_metrics": ("model", "_metrics"),
    "compile_loss": ("model", "_compile_loss"),
    "compile_metrics": ("model", "_compile_metrics"),
    "flat_losses": ("compile_loss", "_flat_losses"),
    "path_of_loss": ("flat_loss", "path"),
    "function_of_loss": ("flat_loss", "loss"),
    "weight_of_loss": ("flat_loss", "loss_weights"),
    "name_of_loss": ("flat_loss", "name"),
    "wrapped": ("loss", "fn"),
    "given_to_wrapped": ("loss", "_fn_kwargs"),
    "dropout_of_attention": ("attention", "_dropout"),
    "optimised": ("optimizer", "_trainable_variables"),
    "seed_generators": ("layer", "_seed_generators"),
    "autocast": ("variable", "_autocast"),
    "adapted": ("adapter", "_inputs"),
    "adapted_size": ("adapter", "batch_size"),
    "should_trace": ("TensorBoard", "_should_trace"),
    "get_iterator": ("EpochIterator", "_get_iterator"),
    "name_counters": ("global state", "object_name_uids"),
    "is_available": ("lazy module", "_available"),
}
"""Attributes by what they are called here: whose they are, and what Keras calls them."""

_BOOKKEEPING = """
    name _name _path _parent_path path build quantize output_names _output_names _resolved_output_names
    _tracker _inbound_nodes _outbound_nodes _call_signature _auto_config _losses _loss_ids _losses_override
    _layers _metrics _seed_generators _trainable_variables _non_trainable_variables _variables
    _trainable_variables_indices _distribution_strategy _saved_model_inputs_spec _saved_model_arg_spec
    _obj_reference_counts_dict _flat_losses _y_pred_build_structure _y_true_build_structure _initial_seed seed
    _user_loss_weights _called _lock _tracked _build_shapes_dict _build_input_shape
"""
BOOKKEEPING = frozenset(_BOOKKEEPING.split())
"""Attributes that a trace does not read, or reads through something else that is described. One that has got another
name is described like any other, which costs a compilation at most."""

TRACKING = "_self_"
"""How the names of attributes begin that TensorFlow adds to what it keeps track of."""


class GoneError(Exception):
    """A private name is not where it was; the text says which."""


def get(name: str) -> Any:
    """Return one of `MODULES`.

    Raises:
        GoneError: it is not there.
    """
    return imported(MODULES[name], name)


def of(thing: Any, name: str) -> Any:
    """Return one of `ATTRIBUTES`.

    Raises:
        GoneError: `thing` has none.
    """
    owner, attribute = ATTRIBUTES[name]
    try:
        return getattr(thing, attribute)
    except AttributeError:
        raise GoneError(f"a {owner} of {_version('keras')} has no `{attribute}`") from None


def name_of(name: str, thing: Any) -> str:
    """Return what Keras calls one of the `ATTRIBUTES`, which `thing` must have.

    Raises:
        GoneError: it has none.
    """
    of(thing, name)
    return ATTRIBUTES[name][1]


def flat_losses(model: Any) -> list[tuple[Any, Any, Any, str]]:
    """Return path, loss, weights and name of each output's loss; none before the model is built."""
    fields = ("path_of_loss", "function_of_loss", "weight_of_loss", "name_of_loss")
    return [tuple(of(flat, field) for field in fields) for flat in list_of_losses(model)]


def list_of_losses(model: Any) -> list[Any]:
    """Return Keras's own list of what `flat_losses` tells of."""
    loss = of(model, "compile_loss")
    return [] if loss is None else of(loss, "flat_losses") or []


class WeightsOfLosses:
    """The weights in a list of losses of outputs, by number."""

    def __init__(self, losses: list[Any]) -> None:
        self._losses = losses

    def __getitem__(self, number: int) -> Any:
        return of(self._losses[number], "weight_of_loss")

    def __setitem__(self, number: int, weight: Any) -> None:
        self._losses[number] = self._losses[number]._replace(**{ATTRIBUTES["weight_of_loss"][1]: weight})


def wrapped(loss: Any) -> Any:
    """Return the function that a loss of Keras calls; None for a loss that does not call one.

    Raises:
        GoneError: not even Keras's own have it.
    """
    of(_a_loss(), "wrapped")
    return getattr(loss, ATTRIBUTES["wrapped"][1], None)


def given_to_wrapped(loss: Any) -> dict[str, Any]:
    """Return what a loss of Keras gives its function besides labels and predictions, in Keras's own dictionary.

    Raises:
        GoneError: not even Keras's own have it.
    """
    of(_a_loss(), "given_to_wrapped")
    return getattr(loss, ATTRIBUTES["given_to_wrapped"][1], {})


@functools.cache
def functional() -> type:
    """Return the class of the models that are made of inputs and outputs; it has no public name."""
    import keras

    x = keras.Input((1,), name="probe")  # with names of their own, so that none is counted
    return type(keras.Model(x, x, name="probe"))


@contextmanager
def fresh_name_counters() -> Iterator[None]:
    """Let Keras number its names from the beginning, and go on afterwards where it was before.

    Raises:
        GoneError: the counters are not there; nothing has been changed.
    """
    get_attribute, set_attribute = get("get_global_attribute"), get("set_global_attribute")
    name = ATTRIBUTES["name_counters"][1]
    check_counters(get_attribute, set_attribute, name)
    before = get_attribute(name)
    set_attribute(name, collections.defaultdict(int))
    try:
        yield
    finally:
        set_attribute(name, before)


def of_this_thread() -> dict[str, Any]:
    """Return what Keras keeps for this thread alone: settings, scopes, counters; empty where it is not imported.

    Raises:
        GoneError: it is kept elsewhere.
    """
    return {} if "keras" not in sys.modules else dict(vars(_tracker()))


def set_for_this_thread(kept: dict[str, Any]) -> None:
    """Have Keras keep this for this thread.

    Raises:
        GoneError: it is kept elsewhere.
    """
    if "keras" in sys.modules:
        here = vars(_tracker())
        here.clear()
        here.update(kept)


def _tracker() -> Any:
    get("GLOBAL_STATE_TRACKER")
    # Asked for each time: `clear_session` puts another one in its place.
    return import_module(MODULES["GLOBAL_STATE_TRACKER"]).GLOBAL_STATE_TRACKER


@contextmanager
def names_of_functions(name: str) -> Iterator[None]:
    """Let the functions that TensorFlow traces be numbered from the beginning, behind a name of their own.

    TensorFlow numbers them through the process, and XLA's programs, which are kept by all that is in them, have these
    numbers in them. Where the functions that make up the names are not where they were, nothing changes.

    Args:
        name: which no functions have had in this process.
    """
    numbers = itertools.count()
    with ExitStack() as stack:
        for module, function in _NAMING:
            with suppress(GoneError):
                genuine = imported(module, function)
                stack.enter_context(_replaced(module, function, _numbering(genuine, name, numbers)))
        yield


def _numbering(genuine: Callable[..., str], name: str, numbers: Iterator[int]) -> Callable[..., str]:
    """Return what makes the names that `genuine` makes, with other numbers at their ends."""

    def named(*parts: str) -> str:
        return f"{genuine(*parts).rpartition('_')[0]}_{name}_{next(numbers)}"

    return named


@contextmanager
def _replaced(module: str, name: str, value: Any) -> Iterator[None]:
    home = import_module(module)
    before = getattr(home, name)
    setattr(home, name, value)
    try:
        yield
    finally:
        setattr(home, name, before)


@contextmanager
def without_tensorflow() -> Iterator[None]:
    """Let Keras, where it runs on something else, not import TensorFlow to see whether an object is one of its types.

    Where TensorFlow has been imported already, nothing changes.
    """
    import keras

    spared, name = None, ATTRIBUTES["is_available"][1]
    if keras.config.backend() != "tensorflow" and "tensorflow" not in sys.modules:
        with suppress(GoneError):
            of(get("tensorflow"), "is_available")
            spared = get("tensorflow")
    before = None if spared is None else getattr(spared, name)
    try:
        if spared is not None:
            setattr(spared, name, False)
        yield
    finally:
        if spared is not None:
            setattr(spared, name, before)


def missing() -> list[str]:
    """Return which of the names the installed versions do not have, or not where they can be reached."""
    owners = _owners()
    probes: dict[str, Callable[[], Any]] = {name: functools.partial(get, name) for name in MODULES}
    probes |= {name: functools.partial(of, owners.get(owner), name) for name, (owner, _) in ATTRIBUTES.items()}
    probes["name_counters"] = _count_names
    return [name for name, probe in probes.items() if _is_missing(probe)]


def _owners() -> dict[str, Any]:
    """Return one of each kind of thing that has attributes in the table, as far as they can be reached."""
    import keras
    import numpy as np

    layer = keras.layers.Dense(1, name="probed")
    model = keras.Sequential([keras.Input((1,), name="probe"), layer], name="probe")
    model.compile(keras.optimizers.SGD(name="probe"), _a_loss())
    found: dict[str, Any] = {"model": model, "layer": layer, "variable": layer.kernel, "loss": _a_loss()}
    found["optimizer"] = model.optimizer
    found["attention"] = keras.layers.MultiHeadAttention(1, 1, name="probe")
    found["TensorBoard"] = keras.callbacks.TensorBoard()
    with suppress(GoneError):
        found["lazy module"] = get("tensorflow")
    with suppress(GoneError):
        x = np.zeros((1, 1), "float32")
        found["adapter"] = get("ArrayDataAdapter")(x, x)
        found["EpochIterator"] = get("EpochIterator")(x)
        found["compile_loss"] = of(model, "compile_loss")
        batch = keras.KerasTensor((1, 1)), keras.KerasTensor((1, 1))
        of(model, "symbolic_build")(data_batch=batch)
        found["flat_loss"] = of(found["compile_loss"], "flat_losses")[0]
    return found


def _count_names() -> None:
    with fresh_name_counters():
        pass


def _is_missing(probe: Callable[[], Any]) -> bool:
    try:
        probe()
    except GoneError:
        return True
    return False


@functools.cache
def imported(module: str, name: str) -> Any:
    """Return what a module calls by that name."""
    try:
        return getattr(import_module(module), name)
    except (ImportError, AttributeError):
        raise GoneError(f"{_version(module.partition('.')[0])} has no `{module}.{name}`") from None


@functools.cache
def _version(package: str) -> str:
    return f"{package} {import_module(package).__version__}"


@functools.cache
def _a_loss() -> Any:
    import keras

    return keras.losses.SparseCategoricalCrossentropy(name="probe")


@functools.cache
def check_counters(get_attribute: Callable[..., Any], set_attribute: Callable[..., Any], name: str) -> None:
    """Refuse counters that do not count: another number in a metric's name would lose the objective."""
    import keras

    before = get_attribute(name)
    counters: dict[str, int] = {}
    set_attribute(name, None)
    try:
        keras.layers.Identity()
        counters = get_attribute(name) or {}
    finally:
        set_attribute(name, before)
    if not counters:
        raise GoneError(f"{_version('keras')} does not count names in `{name}`")
