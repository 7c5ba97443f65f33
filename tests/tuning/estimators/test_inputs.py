"""Samples that are no plain array of numbers: several inputs, texts, sparse matrices, in estimators and in searches."""

import pickle

import keras
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from sklearn.datasets import load_iris
from sklearn.preprocessing import StandardScaler

import tuning
from tuning.estimators import inputs

X, Y = StandardScaler().fit_transform(load_iris().data), load_iris().target_names[load_iris().target]
TEXTS = np.array(["good film", "bad film", "fine thing", "awful thing"] * 15)
MOODS = np.array(["yes", "no"] * 30)


def searched(build, **arguments):
    given = {"engine": "random", "trials": 1, "epochs": 1, "random_state": 0, "objective": "val_accuracy", **arguments}
    return tuning.TunedClassifier(build, **given)


def compiled(model, loss="sparse_categorical_crossentropy", rate=0.05):
    model.compile(keras.optimizers.Adam(rate), loss, metrics=["accuracy"])
    return model


def two_inputs(hp):
    first, second = keras.Input((2,), name="first"), keras.Input((2,), name="second")
    joined = keras.layers.concatenate([first, second])
    return compiled(keras.Model([first, second], keras.layers.Dense(3, activation="softmax")(joined)))


@pytest.mark.slow
@pytest.mark.parametrize("form", ["list", pytest.param("dict", marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "arguments",
    [
        {},
        pytest.param({"cv": 2}, marks=pytest.mark.slow),
        pytest.param({"scoring": "f1_macro"}, marks=pytest.mark.slow),
    ],
    ids=["split", "folds", "scorer"],
)
def test_searches_take_several_inputs(form, arguments):
    parts = [X[:, :2], X[:, 2:]] if form == "list" else {"first": X[:, :2], "second": X[:, 2:]}
    arguments = {"objective": None, **arguments} if "scoring" in arguments else arguments
    search = searched(two_inputs, **arguments).fit(parts, Y, sample_weight=np.ones(150))
    assert search.predict(parts).shape == (150,) and 0 <= search.score(parts, Y) <= 1
    assert (pickle.loads(pickle.dumps(search)).predict(parts) == search.predict(parts)).all()
    with pytest.raises(ValueError, match="the same inputs as in fit"):
        search.predict(X)


def reads(hp):
    words = keras.layers.TextVectorization(max_tokens=10, output_sequence_length=2)
    words.adapt(TEXTS)
    text = keras.Input((1,), dtype="string")
    embedded = keras.layers.GlobalAveragePooling1D()(keras.layers.Embedding(10, 4)(words(text)))
    return compiled(keras.Model(text, keras.layers.Dense(1, "sigmoid")(embedded)), "binary_crossentropy", 0.1)


FORMS = {
    "column": TEXTS[:, None],
    "row": TEXTS,
    "list": TEXTS.tolist(),
    "objects": TEXTS.astype(object)[:, None],
    "frame": pd.DataFrame({"text": TEXTS}),
}


@pytest.mark.medium
@pytest.mark.parametrize(
    "form", ["row", *(pytest.param(form, marks=pytest.mark.slow) for form in ("column", "list", "objects", "frame"))]
)
def test_texts(form):
    given = FORMS[form]
    fitted = tuning.KerasClassifier(reads, epochs=8, random_state=0).fit(given, MOODS)
    assert fitted.score(given, MOODS) == 1
    assert (pickle.loads(pickle.dumps(fitted)).predict(given) == fitted.predict(given)).all()


@pytest.mark.slow
def test_searches_take_texts():
    assert searched(reads, epochs=8).fit(TEXTS, MOODS).score(TEXTS, MOODS) == 1
    folded = searched(reads, epochs=8, cv=2, scoring="accuracy", objective=None).fit(FORMS["frame"], MOODS)
    assert folded.score(FORMS["frame"], MOODS) == 1


def dense(hp):
    return compiled(keras.Sequential([keras.layers.Dense(3, activation="softmax")]))


def sparse(hp):
    first = keras.Input((4,), sparse=True)
    return compiled(keras.Model(first, keras.layers.Dense(3, activation="softmax")(first)))


@pytest.mark.slow
@pytest.mark.parametrize("build", [sparse, pytest.param(dense, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "kind",
    ["csr_matrix", *(pytest.param(k, marks=pytest.mark.slow) for k in ("csc_array", "coo_matrix", "dok_matrix"))],
)
def test_sparse_matrices_are_trained_on_as_they_are(build, kind):
    kept = np.where(X > 0, X, 0)
    given = getattr(scipy.sparse, kind)(kept)
    fitted = tuning.KerasClassifier(build, epochs=6, shuffle=False, random_state=0).fit(given, Y)
    same = tuning.KerasClassifier(build, epochs=6, shuffle=False, random_state=0).fit(kept, Y)
    assert np.allclose(fitted.predict_proba(given), same.predict_proba(kept), atol=1e-4)
    assert np.allclose(fitted.predict_proba(given), fitted.predict_proba(kept), atol=1e-5)
    assert fitted.partial_fit(given, Y, sample_weight=np.r_[np.zeros(50), np.ones(100)]).current_epoch == 7
    assert pickle.loads(pickle.dumps(fitted)).predict(given).shape == (150,)


@pytest.mark.slow
def test_searches_take_sparse_matrices():
    given = scipy.sparse.csr_matrix(np.where(X > 0, X, 0))
    for arguments in ({}, {"cv": 2}, {"scoring": "accuracy", "objective": None}):
        assert searched(sparse, epochs=4, **arguments).fit(given, Y).score(given, Y) > 0.3


@pytest.mark.parametrize(
    ("given", "dtype"),
    [
        (np.ones((2, 1), "int8"), "int8"),
        (np.ones((2, 1), "float64"), "float32"),
        (pd.DataFrame({"a": [1, 2], "b": [3, 4]}), "int64"),
        (pd.DataFrame({"a": [1, 2], "b": [3.0, 4.0]}), "float32"),
        (scipy.sparse.csr_matrix(np.eye(2, dtype="int32")), "int32"),
        ([[1, 2], [3, 4]], "float32"),
        (["a", "b"], object),
        (np.array([["a"], ["b"]]), object),
    ],
)
def test_the_type_that_samples_get(given, dtype):
    assert inputs.dtype_for(given) == dtype


def test_whole_numbers_among_objects_are_warned_about():
    with pytest.warns(UserWarning, match="float32 does not tell them apart"):
        inputs.dtype_for(pd.DataFrame({"a": pd.array([2**24 + 1, None], "Int64"), "b": [0.5, 1.0]}).fillna(0))
