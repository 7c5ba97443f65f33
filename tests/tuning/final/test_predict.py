"""Predictions for files: what is read, what is refused, and what the columns mean."""

import json

import numpy as np
import pandas
import pytest

import tuning
from tuning.errors import DataError
from tuning.final.inputs import Inputs
from tuning.final.predictions import _table

keras = pytest.importorskip("keras")


@pytest.fixture
def write(tmp_path):
    def call(name, text=None, **arrays):
        path = tmp_path / name
        if text is None:
            np.savez(path, **arrays)
        else:
            path.write_text(text)
        return path

    return call


PICTURES = Inputs.of(np.random.default_rng(0).random((9, 2, 3)).astype("float32"))
PAIR = Inputs.of({"wide": np.zeros((4, 2), "float32"), "deep": np.ones((4, 1), "int64")})
ROWS = "\n".join(["a,b,c,d,e,f", "5,1,2,3,4,5", "1,1,1,1,1,1"])


def test_a_description_survives_json():
    for inputs in (PICTURES, PAIR, Inputs.of(pandas.DataFrame({"age": [1.0], "city": ["Ulm"]}))):
        assert Inputs.from_json(json.loads(json.dumps(inputs.to_json()))) == inputs


def test_arrays_are_read(write):
    x = np.arange(12).reshape(2, 2, 3)
    for arrays in ({"x": x}, {"pictures": x}, {"x": x, "y": x}):
        read, n = PICTURES.read(write("a.npz", **arrays))
        assert n == 2 and read.dtype == "float32" and (read == x).all()
    read, n = PAIR.read(write("b.npz", deep=np.ones((3, 1)), wide=np.ones((3, 2))))
    assert n == 3 and list(read) == ["wide", "deep"] and read["deep"].dtype == "int64"
    sequence = Inputs.of((np.zeros((1, 2)), np.zeros((1, 3))))
    read, _ = sequence.read(write("c.npz", arr_0=np.ones((5, 2)), arr_1=np.ones((5, 3))))
    assert read[1].shape == (5, 3)


def test_tables_are_read_with_and_without_a_line_of_names(write):
    for text in (ROWS, ROWS.partition("\n")[2]):
        read, n = PICTURES.read(write("a.csv", text))
        assert n == 2 and read.shape == (2, 2, 3) and read[0].ravel().tolist() == [5, 1, 2, 3, 4, 5]
    frame = Inputs.of(pandas.DataFrame({"age": [1.0, 2.0], "city": ["Ulm", "Bonn"]}))
    read, _ = frame.read(write("b.csv", "city,extra,age\nUlm,1,7\n"))
    assert list(read.columns) == ["age", "city"] and read["age"].dtype == "float64"
    read, _ = PAIR.read(write("c.csv", "1,2,3\n"))
    assert read["wide"].tolist() == [[1, 2]] and read["deep"].tolist() == [[3]]


@pytest.mark.parametrize(
    "inputs, name, content, message",
    [
        (PICTURES, "a.csv", "a,b\n1,2\n", "must have 6 columns.*has 2: a, b"),
        (PICTURES, "a.csv", ROWS.replace(",5", ",five"), "f hold text"),
        (PICTURES, "a.csv", ROWS.replace(",5", ","), r"sample 0 .* is empty"),
        (PICTURES, "a.csv", "a,b,c,d,e,f\n", "must hold samples"),
        (PICTURES, "a.csv", "", "could not be read"),
        (PICTURES, "a.txt", "1", "be a .npz or a .csv file"),
        (PICTURES, "a.npz", "no zip", "could not be read"),
        (PICTURES, "a.npz", {"x": np.ones((5, 6))}, r"shape \[n, 2, 3\], but has \[5, 6\]"),
        (PICTURES, "a.npz", {"a": np.ones(1), "b": np.ones(1)}, "array 'x', but holds a, b"),
        (PICTURES, "a.npz", {"x": np.full((1, 2, 3), "a")}, "must be numbers"),
        (PAIR, "a.npz", {"wide": np.ones((5, 2)), "deeep": np.ones((5, 1))}, "Did you mean 'deeep'"),
        (PAIR, "a.npz", {"wide": np.ones((5, 2)), "deep": np.ones((4, 1))}, "same number of samples"),
        (Inputs.of(pandas.DataFrame({"age": [1.0]})), "a.csv", "ages\n3\n", "column 'age'. Did you mean 'ages'"),
    ],
)
def test_what_does_not_fit_is_refused(write, inputs, name, content, message):
    path = write(name, **content) if isinstance(content, dict) else write(name, content)
    with pytest.raises(DataError, match=message):
        inputs.read(path)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(DataError, match="there is no"):
        PICTURES.read(tmp_path / "none.csv")


def test_values_far_from_those_of_training_are_remarked_on():
    assert PICTURES.unusual(np.full((1, 2, 3), 0.5)) == []
    assert "scaled" in PICTURES.unusual(np.full((1, 2, 3), 255.0))[0]


def model_of(outputs, losses):
    inputs = keras.Input((2,))
    layers = {name: keras.layers.Dense(units, activation=kind, name=name) for name, (units, kind) in outputs.items()}
    made = {name: layer(inputs) for name, layer in layers.items()}
    model = keras.Model(inputs, made if len(made) > 1 else next(iter(made.values())))
    model.compile("sgd", losses)
    return model


X = np.ones((4, 2), "float32")


def table_of(model, names=None):
    return _table(model, model.predict(X, verbose=0), names)


def test_classes_get_a_label_and_probabilities():
    table = table_of(model_of({"a": (3, "softmax")}, "sparse_categorical_crossentropy"), ("red", "green", "blue"))
    assert list(table) == ["label", "p_red", "p_green", "p_blue"]
    assert table[["p_red", "p_green", "p_blue"]].sum(axis=1).to_numpy() == pytest.approx(np.ones(4))
    assert (table["label"] == table[["p_red", "p_green", "p_blue"]].idxmax(axis=1).str[2:]).all()


@pytest.mark.medium
def test_logits_become_probabilities():
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    table = table_of(model_of({"a": (3, None)}, loss))
    assert list(table) == ["label", "p_0", "p_1", "p_2"] and table.iloc[0, 1:].sum() == pytest.approx(1)
    table = table_of(model_of({"a": (1, None)}, keras.losses.BinaryCrossentropy(from_logits=True)), ("no", "yes"))
    assert list(table) == ["label", "p_yes"] and table["p_yes"].between(0, 1).all()
    assert (table["label"] == np.where(table["p_yes"] >= 0.5, "yes", "no")).all()


@pytest.mark.medium
def test_values_are_named_by_their_targets_and_outputs():
    assert list(table_of(model_of({"a": (1, None)}, "mse"), ("price",))) == ["price"]
    assert list(table_of(model_of({"a": (2, None)}, "mse"))) == ["prediction_0", "prediction_1"]
    model = model_of(
        {"priority": (1, "sigmoid"), "department": (2, "softmax")},
        {"priority": "mse", "department": "categorical_crossentropy"},
    )
    assert list(table_of(model)) == ["priority", "department_label", "department_p_0", "department_p_1"]
    table = table_of(model, ("sales", "support"))
    assert list(table) == ["priority", "department_label", "department_p_sales", "department_p_support"]


@pytest.mark.slow
def test_the_best_trial_answers_and_then_the_final_model(tune_here, tmp_path):
    study = tuning.search(
        "diabetes", engine="random", trials=1, epochs=2, seed=1, fix={"n_hidden": 1}, logs=tmp_path / "logs"
    )
    x = study.data.validation[0]
    pandas.DataFrame(x).to_csv(tmp_path / "new.csv", index=False)
    done = tune_here("predict", "diabetes-random", "--input", "new.csv", "--out", "out/mine.csv")
    assert done.returncode == 0 and "83 predictions in out/mine.csv, by the model of trial 0" in done.stdout, (
        done.stderr
    )
    made = pandas.read_csv(tmp_path / "out" / "mine.csv")
    expected = study.best_model().predict(x, verbose=0)[:, 0]
    assert list(made) == ["Progression"] and made["Progression"].to_numpy() == pytest.approx(expected, rel=1e-4)
    tuning.finalize(study)
    record = json.loads(tune_here("predict", "diabetes-random", "--input", "new.csv", "--json").stdout)
    assert record["model"] == "final" and record["rows"] == 83 and record["out"] == "predictions.csv"
    made = pandas.read_csv(tmp_path / "predictions.csv")["Progression"].to_numpy()
    assert made == pytest.approx(study.final_model().predict(x, verbose=0)[:, 0], rel=1e-4)
    refused = tune_here("predict", "diabetes-random", "--input", "no.csv")
    assert refused.returncode == 1 and len(refused.stderr.splitlines()) == 1
