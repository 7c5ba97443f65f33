"""Compiled epochs on JAX: the implementation of `backends.Backend`.

Owns what is asked of JAX besides the program itself; see `program`. Indices are not looked at: JAX checks none, so
Keras does not complain either.
"""

from __future__ import annotations

import os
from typing import Any

import jax
import numpy as np
from jax.experimental.compilation_cache import compilation_cache

from tuning import programs
from tuning.compiled.arrays import UnsupportedDataError
from tuning.compiled.on_jax import program
from tuning.compiled.on_jax.arguments import numbers_of
from tuning.compiled.on_jax.program import compile_epoch, state_of
from tuning.compiled.state import convolving_layer

_SETTINGS = (
    "jax_enable_x64",
    "jax_default_matmul_precision",
    "jax_default_prng_impl",
    "jax_threefry_partitionable",
    "jax_numpy_dtype_promotion",
    "jax_debug_nans",
)

__all__ = ["compile_epoch", "numbers_of", "state_of"]


def _keep_programs() -> None:
    """Let JAX keep on disk what takes longer to compile than to read, unless the user has it kept somewhere."""
    config: Any = jax.config
    path = programs.folder("jax", jax.__version__, os.environ) if config.jax_compilation_cache_dir is None else None
    if path is not None:
        config.update("jax_compilation_cache_dir", str(path))
        config.update("jax_persistent_cache_min_compile_time_secs", 0.1)
        compilation_cache.reset_cache()  # JAX looks once, and something may have been compiled already


_keep_programs()


def why_not(model: Any) -> str | None:
    """Return why a model's epochs cannot be compiled, or None."""
    if steps_singly(model):
        return "JAX's jit is off"
    convolution = convolving_layer(model)
    if convolution is not None and not has_accelerator():
        return f"XLA is slow at convolutions inside a loop on a CPU (layer {convolution})"
    return None


def steps_singly(model: Any) -> bool:
    """Tell whether nothing is compiled."""
    del model
    return bool(getattr(jax.config, "jax_disable_jit", False))


def has_accelerator() -> bool:
    """Tell whether JAX computes on anything besides CPUs."""
    return jax.default_backend() != "cpu"


def seed() -> int | None:
    """Return None: JAX has no seed of its own."""
    return None


def settings() -> tuple[Any, ...]:
    """Return what JAX is set to that ends up in a trace."""
    return jax.__version__, *(getattr(jax.config, name, None) for name in _SETTINGS)


def described(value: Any) -> Any:
    """Return plain data that say everything about a type; None for any other value."""
    return repr(value) if isinstance(value, np.dtype) else None


def tensor(leaf: Any) -> Any:
    """Put an array on the device."""
    if not isinstance(leaf, (np.ndarray, jax.Array)):
        raise UnsupportedDataError(f"the data contain a {type(leaf).__name__}, not an array")
    return jax.device_put(leaf)  # `jnp.asarray` compiles something for each shape


def padded(tensor: Any, n_rows: int) -> Any:
    """Return a tensor with so many rows more, of zeros; NumPy puts them together, for which nothing is compiled."""
    return jax.device_put(np.concatenate([tensor, np.zeros((n_rows, *tensor.shape[1:]), tensor.dtype)]))


def mistake(model: Any, samples: Any) -> str | None:
    """Return None: Keras trains with any index on JAX."""
    del model, samples
    return None


def n_traced() -> int:
    """Return how often a training step has been traced in this process."""
    return program.n_bodies_traced
