"""The four data sets that come with the toolkit: where they are looked for, and how they are split.

Owns the splits, which never change, and the words for data that is neither on this machine nor reachable.
A loaded split is kept for the life of the process and is read-only, because trials share it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from search_spaces.data.download import download
from search_spaces.data.idx import read_idx
from tuning.data.record import Data
from tuning.errors import DataError, OptionError, guess, must
from tuning.space.imports import import_keras

Pair = tuple[np.ndarray, np.ndarray]

FASHION_CLASSES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip
FASHION_SIZES = {"train": 60_000, "t10k": 10_000}
N_FASHION_TRAINING = 55_000
DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")
"""Where Debian's package dataset-fashion-mnist puts the same four files."""


def load(name: str) -> Data:
    """Return the data set of that name, one of `LOADERS`.

    Raises:
        OptionError: there is no such data set.
        DataError: it is neither on this machine nor reachable.
    """
    if name not in LOADERS:
        advice = guess(name, LOADERS) if isinstance(name, str) else ""
        raise OptionError(must("name", f"be one of {', '.join(LOADERS)}", name, advice))
    return LOADERS[name]()


def fashion_mnist() -> Data:
    """Return Fashion-MNIST: which of ten kinds of clothing a picture shows.

    x is float32 [n, 28, 28] in [0, 1], y is uint8 [n] in 0..9. The first 55,000 of the 60,000 training images
    are the training split, the last 5,000 the validation split; the test split has 10,000.

    The files are looked for in Keras's cache, then where Debian's package puts them; both are read without
    importing Keras. Else Keras downloads them.

    Raises:
        DataError: a file is damaged, or there are none and the download fails or stands still.
    """
    return _fashion_mnist(_keras_folders())


def california_housing(dtype: str = "float32") -> Data:
    """Return California housing: the median house value of a block group, in 100,000 dollars.

    x is [n, 8], y is [n]; 11,610 / 3,870 / 5,160 training, validation and test samples. From scikit-learn's cache,
    else its download.

    Args:
        dtype: of x and y; "float64" for the published numbers to the last digit.

    Raises:
        DataError: the cached file is damaged, or there is none and the download fails or stands still.
    """
    return _california_housing(_sklearn_folder(), dtype)


@lru_cache(maxsize=1)
def digits() -> Data:
    """Return scikit-learn's handwritten digits.

    x is float32 [n, 8, 8] in [0, 1], y is uint8 [n] in 0..9; 1,010 / 337 / 450 training, validation and test
    samples.
    """
    return _split_data("digits", _read_digits, tuple("0123456789"))


@lru_cache(maxsize=1)
def diabetes() -> Data:
    """Return scikit-learn's diabetes data: how far the disease has progressed after a year.

    x is float32 [n, 10], y is float32 [n]; 248 / 83 / 111 training, validation and test samples. The targets
    are in hundreds of the published score (0.25 to 3.46 instead of 25 to 346), so that they are of the size of
    California's and the same model trains on both: with 25 to 346, SGD and MSE end in NaN from a learning
    rate of 0.001 on.
    """
    return _split_data("diabetes", _read_diabetes, ("Progression",))


LOADERS: dict[str, Callable[[], Data]] = {
    "fashion_mnist": fashion_mnist,
    "california_housing": california_housing,
    "digits": digits,
    "diabetes": diabetes,
}
"""The loaders by the names of their data sets."""


# Fashion-MNIST -----------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def _fashion_mnist(folders: tuple[Path, ...]) -> Data:
    images, labels = _read_fashion("train", folders)
    x, y = _frozen(_unit(images, 255), labels)
    n = N_FASHION_TRAINING
    return Data(
        x[:n], y[:n], (x[n:], y[n:]), name="fashion_mnist", target_names=FASHION_CLASSES,
        load_test=partial(_fashion_test, folders),
    )  # fmt: skip


def _fashion_test(folders: tuple[Path, ...]) -> Pair:
    images, labels = _read_fashion("t10k", folders)
    return _frozen(_unit(images, 255), labels)


def _read_fashion(split: str, folders: tuple[Path, ...]) -> Pair:
    """Return (images, labels), uint8, of "train" or "t10k" from the first folder that has both files."""
    n, damaged = FASHION_SIZES[split], None
    for folder in (*folders, DEBIAN_FOLDER):
        try:
            return (
                read_idx(folder / f"{split}-images-idx3-ubyte.gz", (n, 28, 28)),
                read_idx(folder / f"{split}-labels-idx1-ubyte.gz", (n,)),
            )
        except FileNotFoundError:
            continue
        except DataError as error:
            damaged = damaged or error
    if damaged is not None:  # Keras would take the file as it is, and fail without saying which one it was
        raise damaged
    return _download_fashion(folders)[split]


def _download_fashion(folders: tuple[Path, ...]) -> dict[str, Pair]:
    # A genuine import, outside of the bounded wait: on a slow disk it takes longer than a connection may.
    import_keras()
    from keras.datasets import fashion_mnist as published

    try:
        train, test = download(published.load_data, folders)
    except DataError as error:
        raise DataError(
            f"`fashion_mnist` must be on this machine or reachable, but got nothing in {folders[0]} (Keras's cache) "
            f"nor in {DEBIAN_FOLDER} (Debian's package dataset-fashion-mnist), and the download failed: {error}. "
            "Connect to the network and run again, install that package, or set KERAS_HOME to the folder that "
            "has datasets/fashion-mnist with the four .gz files."
        ) from error
    return {"train": train, "t10k": test}


def _keras_folders() -> tuple[Path, ...]:
    """Return the folders in which Keras keeps Fashion-MNIST, without importing Keras: its own rule."""
    home = os.environ.get("KERAS_HOME")
    if home is None:
        base = os.path.expanduser("~")
        home = os.path.join(base if os.access(base, os.W_OK) else "/tmp", ".keras")
    homes = [os.path.expanduser(home)]
    if not os.access(homes[0], os.W_OK):
        homes.append("/tmp/.keras")  # a cache that cannot be written is read, and downloads go here
    return tuple(Path(home, "datasets", "fashion-mnist") for home in homes)


# scikit-learn's ----------------------------------------------------------------------------------------


@lru_cache(maxsize=2)
def _california_housing(folder: Path, dtype: str) -> Data:
    return _split_data("california_housing", partial(_read_california, folder, dtype), ("MedHouseVal",))


def _read_california(folder: Path, dtype: str = "float32") -> Pair:
    from sklearn.datasets import fetch_california_housing

    fetch = partial(fetch_california_housing, data_home=folder, return_X_y=True)
    cached = sorted(folder.glob("cal_housing*.pkz"))
    if cached:
        try:
            x, y = fetch(download_if_missing=False)
            return _floats(x, y, dtype)
        except Exception as error:  # a damaged pickle can raise anything
            raise DataError(
                f"`{cached[0]}` must be scikit-learn's California housing data, but got {type(error).__name__}: "
                f"{error}. Delete the file and run again: it is then fetched anew."
            ) from error
    try:
        x, y = download(partial(fetch, n_retries=1, delay=1.0), [folder])
        return _floats(x, y, dtype)
    except DataError as error:
        raise DataError(
            f"`california_housing` must be on this machine or reachable, but got nothing in {folder} "
            f"(scikit-learn's cache), and the download failed: {error}. Connect to the network and run again, or "
            "set SCIKIT_LEARN_DATA to a folder that has cal_housing_py3.pkz."
        ) from error


def _sklearn_folder() -> Path:
    """Return the folder in which scikit-learn keeps its downloads: its own rule."""
    return Path(os.environ.get("SCIKIT_LEARN_DATA", os.path.join("~", "scikit_learn_data"))).expanduser()


def _read_digits() -> Pair:
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return _unit(bunch.images, 16), bunch.target.astype(np.uint8)


def _read_diabetes() -> Pair:
    from sklearn.datasets import load_diabetes

    x, y = load_diabetes(return_X_y=True)
    return _floats(x, y / 100)


def _split_data(name: str, read: Callable[[], Pair], target_names: tuple[str, ...]) -> Data:
    parts = _split(read)
    return Data(
        *parts["train"], parts["validation"], name=name, target_names=target_names,
        load_test=partial(_test_part, read),
    )  # fmt: skip


def _test_part(read: Callable[[], Pair]) -> Pair:
    return _split(read)["test"]


def _split(read: Callable[[], Pair]) -> dict[str, Pair]:
    """Split three quarters to one quarter, and the three quarters again, as scikit-learn's users do."""
    from sklearn.model_selection import train_test_split

    x_rest, x_test, y_rest, y_test = train_test_split(*read(), random_state=42)
    x, x_val, y, y_val = train_test_split(x_rest, y_rest, random_state=42)
    return {"train": _frozen(x, y), "validation": _frozen(x_val, y_val), "test": _frozen(x_test, y_test)}


# Arrays ------------------------------------------------------------------------------------------------


def _unit(pixels: np.ndarray, highest: int) -> np.ndarray:
    """Return pixels in 0..highest as float32 in [0, 1]."""
    scaled: np.ndarray = np.divide(pixels, np.float32(highest), dtype=np.float32)
    return scaled


def _floats(x: Any, y: Any, dtype: str = "float32") -> Pair:
    """Return both in one type: Keras computes in float32, so anything wider is converted again in every trial."""
    return np.asarray(x, dtype), np.asarray(y, dtype)


def _frozen(x: np.ndarray, y: np.ndarray) -> Pair:
    """Make both read-only: a trial that scaled them in place would change the data of all that follow."""
    x.flags.writeable = False
    y.flags.writeable = False
    return x, y
