"""Read image and label files in the IDX format, gzipped, as MNIST and its successors are published.

Owns the format and what counts as a damaged file. It knows no folders and no network.
"""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import numpy as np

from tuning.errors import DataError


def read_idx(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """Return the content of a gzipped IDX file of unsigned bytes.

    The header is four bytes (0, 0, the type 8, the number of axes) and one big-endian 32-bit size per axis.

    Args:
        path: the file.
        shape: what the header must say.

    Returns:
        A read-only uint8 array of that shape.

    Raises:
        FileNotFoundError: there is no such file.
        DataError: the file cannot be read, is cut short, or is something else.
    """
    try:
        with gzip.open(path) as file:
            content = file.read()
    except FileNotFoundError:
        raise
    except (OSError, EOFError, zlib.error) as error:
        raise _damaged(path, shape, str(error) or type(error).__name__) from error
    header = bytes((0, 0, 8, len(shape))) + b"".join(size.to_bytes(4, "big") for size in shape)
    if not content.startswith(header):
        raise _damaged(path, shape, f"a file that starts with {content[: len(header)].hex()}")
    values = np.frombuffer(content, np.uint8, offset=len(header))
    if values.size != np.prod(shape):
        raise _damaged(path, shape, f"{values.size:,} bytes of them")
    return values.reshape(shape)


def _damaged(path: Path, shape: tuple[int, ...], got: str) -> DataError:
    sizes = " x ".join(map(str, shape))
    return DataError(
        f"`{path}` must be a gzipped IDX file of {sizes} bytes, but got {got}. "
        "Delete the file and run again: it is then fetched anew."
    )
