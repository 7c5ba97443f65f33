"""The four data sets: their splits, what is read when and where, damaged files."""

import gzip
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import search_spaces.data as tuning_data
from search_spaces.data import datasets
from search_spaces.data.idx import read_idx
from tests.conftest import loaded_by
from tuning.errors import DataError, OptionError

TRAIN_FILES = ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz")
TEST_FILES = ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz")

REAL_FASHION = next(
    (
        f
        for f in (*datasets._keras_folders(), datasets.DEBIAN_FOLDER)
        if all((f / n).is_file() for n in TRAIN_FILES + TEST_FILES)
    ),
    None,
)
needs_fashion = pytest.mark.skipif(
    REAL_FASHION is None,
    reason=f"Fashion-MNIST is neither in {datasets._keras_folders()[0]} nor in {datasets.DEBIAN_FOLDER}",
)
needs_california = pytest.mark.skipif(
    not list(datasets._sklearn_folder().glob("cal_housing*.pkz")),
    reason=f"California housing is not in {datasets._sklearn_folder()}",
)


def idx_bytes(array):
    """Write the format by hand: magic number, sizes, bytes."""
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    return header + array.astype(np.uint8).tobytes()


def write_split(folder, split, n, seed=0):
    rng = np.random.default_rng(seed)
    images, labels = rng.integers(0, 256, (n, 28, 28)), rng.integers(0, 10, n)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{split}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx_bytes(images), 1))
    (folder / f"{split}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx_bytes(labels), 1))
    return images, labels


@pytest.fixture
def small_fashion(tmp_path, monkeypatch):
    """A Keras cache and a Debian folder, both empty, for a Fashion-MNIST of 60 + 10 images."""
    monkeypatch.setitem(datasets.FASHION_SIZES, "train", 60)
    monkeypatch.setitem(datasets.FASHION_SIZES, "t10k", 10)
    monkeypatch.setattr(datasets, "N_FASHION_TRAINING", 55)
    monkeypatch.setattr(datasets, "DEBIAN_FOLDER", tmp_path / "debian")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    cache = tmp_path / "keras" / "datasets" / "fashion-mnist"
    cache.mkdir(parents=True)
    yield cache, tmp_path / "debian"
    datasets._fashion_mnist.cache_clear()


@pytest.mark.medium
def test_importing_loads_nothing_heavy():
    assert loaded_by("import search_spaces.data", "tensorflow", "keras", "sklearn", "pandas") == []


# Splits of the real data -------------------------------------------------------------------------------


@pytest.mark.medium
@needs_fashion
def test_fashion_mnist_is_55000_5000_10000():
    data = tuning_data.load("fashion_mnist")
    x_val, y_val = data.validation
    x_test, y_test = data.load_test()
    assert [a.shape for a in (data.x, x_val, x_test)] == [(55_000, 28, 28), (5_000, 28, 28), (10_000, 28, 28)]
    assert [a.shape for a in (data.y, y_val, y_test)] == [(55_000,), (5_000,), (10_000,)]
    assert data.x.dtype == x_val.dtype == x_test.dtype == np.float32
    assert data.y.dtype == y_test.dtype == np.uint8
    assert data.x.min() == 0.0 and data.x.max() == 1.0
    assert set(np.unique(data.y)) == set(range(10)) == set(np.unique(y_test))
    assert data.target_names[9] == "Ankle boot" and len(data.target_names) == 10
    images, labels = (gzip.decompress((REAL_FASHION / name).read_bytes()) for name in TRAIN_FILES)
    raw = np.frombuffer(images, np.uint8, offset=16).reshape(-1, 28, 28)
    labels = np.frombuffer(labels, np.uint8, offset=8)
    for place in (0, 54_999):
        np.testing.assert_array_equal(data.x[place], raw[place].astype(np.float32) / 255)
    for place in (0, 4_999):
        np.testing.assert_array_equal(x_val[place], raw[55_000 + place].astype(np.float32) / 255)
    np.testing.assert_array_equal(np.concatenate([data.y, y_val]), labels)


@pytest.mark.medium
@needs_fashion
def test_fashion_mnist_needs_no_keras_when_the_files_are_there():
    code = "import sys, search_spaces.data as d; d.fashion_mnist().load_test(); print('keras' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"


SKLEARN_SIZES = [
    pytest.param("california_housing", (11_610, 3_870, 5_160), (8,), marks=needs_california),
    ("digits", (1_010, 337, 450), (8, 8)),
    ("diabetes", (248, 83, 111), (10,)),
]


@pytest.mark.parametrize("name, sizes, shape", SKLEARN_SIZES)
def test_splits_of_scikit_learns_data(name, sizes, shape):
    data = tuning_data.load(name)
    (x_val, y_val), (x_test, y_test) = data.validation, data.load_test()
    assert [a.shape for a in (data.x, x_val, x_test)] == [(n, *shape) for n in sizes]
    assert [a.shape for a in (data.y, y_val, y_test)] == [(n,) for n in sizes]
    assert {a.dtype for a in (data.x, x_val, x_test)} == {np.dtype("float32")}
    assert {a.dtype for a in (data.y, y_val, y_test)} == {np.dtype("uint8" if name == "digits" else "float32")}
    assert data.name == name and data.target_names


@pytest.mark.parametrize("name, sizes, shape", SKLEARN_SIZES)
def test_each_sample_is_in_exactly_one_split(name, sizes, shape):
    data = tuning_data.load(name)
    parts = [(data.x, data.y), data.validation, data.load_test()]
    rows = np.concatenate([np.column_stack([x.reshape(len(x), -1), y]) for x, y in parts])
    read = {
        "california_housing": lambda: datasets._read_california(datasets._sklearn_folder()),
        "digits": datasets._read_digits,
        "diabetes": datasets._read_diabetes,
    }[name]
    x, y = read()
    whole = np.column_stack([x.reshape(len(x), -1), y])
    assert sorted(map(tuple, rows.tolist())) == sorted(map(tuple, whole.tolist()))


def test_the_splits_are_those_of_train_test_split_twice():
    from sklearn.datasets import load_diabetes
    from sklearn.model_selection import train_test_split

    x, y = load_diabetes(return_X_y=True)
    x_rest, x_test, y_rest, y_test = train_test_split(x, y, random_state=42)
    x_train, x_val, y_train, y_val = train_test_split(x_rest, y_rest, random_state=42)
    data = tuning_data.diabetes()
    np.testing.assert_array_equal(data.x, x_train.astype(np.float32))
    np.testing.assert_array_equal(data.validation[0], x_val.astype(np.float32))
    np.testing.assert_allclose(data.y, y_train / 100, rtol=1e-6)
    np.testing.assert_allclose(data.load_test()[1], y_test / 100, rtol=1e-6)


def test_digits_are_images_between_0_and_1():
    x = tuning_data.digits().x
    assert x.min() == 0.0 and x.max() == 1.0


# Sharing -----------------------------------------------------------------------------------------------


def test_a_data_set_is_loaded_once_and_cannot_be_changed():
    data = tuning_data.digits()
    assert tuning_data.load("digits") is data
    for array in (data.x, data.y, *data.validation, *data.load_test()):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


def test_data_travels_to_other_processes():
    twin = pickle.loads(pickle.dumps(tuning_data.digits()))
    assert twin.fingerprint() == tuning_data.digits().fingerprint()
    assert len(twin.load_test()[0]) == 450


# Where Fashion-MNIST is looked for ---------------------------------------------------------------------


def test_the_test_files_are_not_opened_before_load_test(small_fashion):
    cache, _ = small_fashion
    images, labels = write_split(cache, "train", 60)
    data = tuning_data.fashion_mnist()  # there are no test files at all
    np.testing.assert_array_equal(data.validation[1], labels[55:])
    np.testing.assert_array_equal(data.x, images[:55].astype(np.float32) / 255)
    test_images, _ = write_split(cache, "t10k", 10, seed=1)
    np.testing.assert_array_equal(data.load_test()[0], test_images.astype(np.float32) / 255)


def test_debians_files_are_used_where_keras_has_none(small_fashion):
    _, debian = small_fashion
    _, labels = write_split(debian, "train", 60)
    np.testing.assert_array_equal(tuning_data.fashion_mnist().y, labels[:55])


def test_kerass_files_come_first(small_fashion):
    cache, debian = small_fashion
    write_split(debian, "train", 60, seed=1)
    _, labels = write_split(cache, "train", 60, seed=2)
    np.testing.assert_array_equal(tuning_data.fashion_mnist().y, labels[:55])


def test_a_truncated_file_is_named(small_fashion):
    cache, debian = small_fashion
    write_split(cache, "train", 60)
    path = cache / TRAIN_FILES[0]
    path.write_bytes(path.read_bytes()[:-5000])
    with pytest.raises(DataError, match="60 x 28 x 28 bytes, but got .*Delete the file and run again") as caught:
        tuning_data.fashion_mnist()
    assert str(path) in str(caught.value)
    write_split(debian, "train", 60)
    assert len(tuning_data.fashion_mnist().x) == 55  # Debian's whole file serves as well


@pytest.mark.parametrize(
    "content, reason",
    [
        (b"<html>not found</html>", "Not a gzipped file"),
        (gzip.compress(b"\x00\x00\x08\x01" + b"\x00" * 16), "a file that starts with 00000801"),
        (gzip.compress(idx_bytes(np.zeros((4, 2))) + b"more"), "12 bytes of them"),
        (gzip.compress(idx_bytes(np.zeros((5, 2)))), "a file that starts with"),
    ],
    ids=["no gzip", "labels for pictures", "too long", "too few axes"],
)
def test_other_content_is_refused(tmp_path, content, reason):
    path = tmp_path / "images.gz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=reason):
        read_idx(path, (4, 2))


def test_an_unwritable_cache_has_kerass_own_second_place(monkeypatch):
    monkeypatch.setenv("KERAS_HOME", "/somewhere/that/is/not/there")
    assert datasets._keras_folders() == (
        Path("/somewhere/that/is/not/there/datasets/fashion-mnist"),
        Path("/tmp/.keras/datasets/fashion-mnist"),
    )


def test_kerass_cache_lies_in_the_home_folder_by_default(monkeypatch, tmp_path):
    monkeypatch.delenv("KERAS_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert datasets._keras_folders()[0] == tmp_path / ".keras" / "datasets" / "fashion-mnist"


def test_an_unknown_name_is_refused_with_a_guess():
    with pytest.raises(OptionError, match="fashion_mnist, california_housing, digits, diabetes, but got 'fashion'"):
        tuning_data.load("fashion")
    with pytest.raises(OptionError, match="Did you mean 'digits'"):
        tuning_data.load("digit")


def test_what_kerass_loader_brings_is_used(small_fashion, monkeypatch):
    _, debian = small_fashion
    rng = np.random.default_rng(0)
    train = rng.integers(0, 256, (60, 28, 28), np.uint8), rng.integers(0, 10, 60).astype(np.uint8)
    monkeypatch.setattr(datasets, "_download_fashion", lambda folders: {"train": train})
    data = tuning_data.fashion_mnist()
    np.testing.assert_array_equal(data.x, train[0][:55].astype(np.float32) / 255)
    assert not debian.exists()
