"""`Data` and its fingerprint."""

import json
import subprocess
import sys
from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from tuning.data import Data
from tuning.errors import DataError


def test_a_record_is_frozen_and_its_text_is_short():
    data = Data(np.zeros(100_000), name="zeros")
    with pytest.raises(FrozenInstanceError):
        data.x = 1
    assert len(repr(data)) < 200
    assert data == data and data != Data(data.x, name="zeros")  # no comparison of arrays


def test_validation_is_a_pair_or_a_triple():
    x = np.zeros(3)
    assert Data(x, x, [x, x]).validation == (x, x)
    assert len(Data(x, x, (x, x, x)).validation) == 3
    with pytest.raises(DataError, match=r"`validation_data` must be \(x, y\)"):
        Data(x, x, (x, x, x, x))
    assert Data(x, None, (x,)).validation == (x,)
    generator = iter(())
    assert Data(x, x, generator).validation is generator


# Fingerprints ------------------------------------------------------------------------------------------

X = np.arange(12, dtype=np.float32).reshape(4, 3)
Y = np.arange(4)
PARTS = ["x", "y", "sample_weight", "validation.x", "validation.y", "validation.sample_weight"]


def test_a_fingerprint_names_shapes_types_and_content():
    data = Data(X, Y, (X[:2], Y[:2], np.ones(2)), np.ones(4), name="toy")
    found = json.loads(json.dumps(data.fingerprint()))
    assert list(found) == ["name", *PARTS]
    assert found["x"].startswith("float32 (4, 3) crc32 ") and found == data.fingerprint()


@pytest.mark.parametrize("part", PARTS)
def test_a_changed_element_changes_the_line_of_its_part_alone(part):
    def fingerprint(parts):
        validation = tuple(parts[f"validation.{name}"] for name in ("x", "y", "sample_weight"))
        return Data(parts["x"], parts["y"], validation, parts["sample_weight"]).fingerprint()

    parts = dict.fromkeys(PARTS, X)
    changed = X.copy()
    changed[3, 2] += 1
    base, other = fingerprint(parts), fingerprint({**parts, part: changed})
    assert [name for name in base if base[name] != other[name]] == [part]


@pytest.mark.parametrize(
    "one, other",
    [
        (X, X.astype(np.float64)),
        (X, X.reshape(3, 4)),
        (X, X[::-1]),
        (X, X.T),
        ({"a": X, "b": X + 1}, {"a": X + 1, "b": X}),
        ([X, X + 1], [X + 1, X]),
        ([[X], X + 1], [X, [X + 1]]),
        (["a", "b"], ["a", "c"]),
        ([1.0, 2.0], [1.0, 3.0]),
        ([[1, 2], [3]], [[1], [2, 3]]),
        (np.array(["a", "b"], object), np.array(["a", "c"], object)),
        (np.array(["2020-01-01"], "M8[D]"), np.array(["2020-01-02"], "M8[D]")),
    ],
)
def test_different_data_differ(one, other):
    assert Data(one).fingerprint() != Data(other).fingerprint()


def test_the_layout_in_memory_and_the_order_of_keys_do_not_matter():
    assert Data(np.asfortranarray(X)).fingerprint() == Data(X).fingerprint()
    assert Data(np.repeat(X, 2, axis=0)[::2]).fingerprint() == Data(X).fingerprint()
    assert Data({"a": X, "b": Y}).fingerprint() == Data({"b": Y, "a": X}).fingerprint()


def test_parts_of_a_structure_have_a_line_each():
    found = Data({"title": X, "body": [Y, (X, X)]}, np.zeros((0, 3))).fingerprint()
    assert list(found) == ["x.title", "x.body[0]", "x.body[1][0]", "x.body[1][1]", "y"]


def test_texts_have_the_same_fingerprint_in_every_process():
    code = "import numpy; from tuning.data import Data; "
    code += "print(Data(numpy.array(['one', None, 3.5], object)).fingerprint()['x'])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == Data(np.array(["one", None, 3.5], object)).fingerprint()["x"]


def test_tables_and_sparse_matrices():
    import pandas
    import scipy.sparse

    frame = pandas.DataFrame({"age": [1, 2], "town": ["a", "b"], "rooms": [1.5, np.nan]})
    base = Data(frame).fingerprint()
    assert base["x"].startswith("DataFrame (2, 3) crc32 ") and base == Data(frame.copy()).fingerprint()
    assert Data(frame.assign(town=["a", "c"])).fingerprint() != base
    assert Data(frame.rename(columns={"age": "years"})).fingerprint() != base
    assert Data(frame[["town", "age", "rooms"]]).fingerprint() != base
    assert Data(frame["age"]).fingerprint()["x"].startswith("int64 (2,)")
    matrix = scipy.sparse.csr_matrix(np.eye(3, dtype=np.float32))
    assert Data(matrix).fingerprint() == Data(matrix.tocsc()).fingerprint()
    assert Data(matrix).fingerprint() != Data(matrix * 2).fingerprint()


def test_what_can_be_read_only_once_is_not_read():
    batches = (batch for batch in [X, X])
    assert Data(batches, validation=batches).fingerprint() == {"x": "generator", "validation": "generator"}
    assert len(list(batches)) == 2
