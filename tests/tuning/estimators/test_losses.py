"""Labels under any of Keras's losses, in the estimators and in searches; folds come from the labels themselves."""

import keras
import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import StandardScaler

import tuning
from tuning.errors import TuningError

IRIS = StandardScaler().fit_transform(load_iris().data), load_iris().target_names[load_iris().target]
CANCER = StandardScaler().fit_transform(load_breast_cancer().data), load_breast_cancer().target


def model_of(loss, n, activation="softmax", rate=0.03):
    model = keras.Sequential([keras.layers.Dense(12, activation="relu"), keras.layers.Dense(n, activation=activation)])
    model.compile(keras.optimizers.Adam(rate), loss, metrics=["accuracy"])
    return model


def classifier(loss, n=3, activation="softmax", **arguments):
    given = {"epochs": 25, "random_state": 0, **arguments}
    return tuning.KerasClassifier(lambda hp: model_of(loss, n, activation), **given)


def sparse_of_ones_own(y, outputs):
    return keras.losses.sparse_categorical_crossentropy(y, outputs) * 2


def dense_of_ones_own(y, outputs):
    return keras.ops.sum(keras.ops.square(y - outputs), axis=-1)


class OwnSparse(keras.losses.SparseCategoricalCrossentropy):
    pass


def called(value):
    """Return the name of a case, which is the same in every process."""
    if isinstance(value, list):
        return f"[{called(value[0])}]"
    named = value is None or isinstance(value, (str, int))
    return str(value) if named else getattr(value, "__name__", type(value).__name__)


def slowly(*losses):
    return [pytest.param(loss, marks=pytest.mark.slow) for loss in losses]


@pytest.mark.medium
@pytest.mark.parametrize(
    "loss",
    [
        *("binary_crossentropy", sparse_of_ones_own),
        *slowly("mse", ["categorical_crossentropy"]),
        *slowly("binary_focal_crossentropy", "mae", "huber", "log_cosh", "poisson", "dice", "tversky", "squared_hinge"),
        *slowly("cosine_similarity", "categorical_hinge", "kl_divergence", "categorical_crossentropy"),
        *slowly("sparse_categorical_crossentropy", dense_of_ones_own, OwnSparse(), [keras.losses.MeanSquaredError()]),
    ],
    ids=called,
)
def test_three_classes(loss):
    fitted = classifier(loss).fit(*IRIS, batch_size=3)  # as many rows as classes, where nonsense would fit
    assert fitted.score(*IRIS) > 0.8, loss
    assert fitted.predict_proba(IRIS[0][:2]).shape == (2, 3) and set(fitted.predict(IRIS[0][:9])) <= set(IRIS[1])


@pytest.mark.medium
@pytest.mark.parametrize(
    ("loss", "n", "activation"),
    [
        ("binary_crossentropy", 1, "sigmoid"),
        pytest.param("mse", 1, "sigmoid", marks=pytest.mark.slow),
        pytest.param("hinge", 1, "tanh", marks=pytest.mark.slow),
        pytest.param("squared_hinge", 1, None, marks=pytest.mark.slow),
        pytest.param("mse", 2, "softmax", marks=pytest.mark.slow),
        pytest.param("binary_focal_crossentropy", 2, "sigmoid", marks=pytest.mark.slow),
        (keras.losses.BinaryCrossentropy(from_logits=True), 1, None),
    ],
    ids=called,
)
def test_two_classes(loss, n, activation):
    fitted = classifier(loss, n, activation, epochs=8).fit(*CANCER)
    assert fitted.score(*CANCER) > 0.93
    probabilities = fitted.predict_proba(CANCER[0][:5])
    assert probabilities.shape == (5, 2) and (probabilities >= 0).all()


@pytest.mark.parametrize(
    ("loss", "n", "text"),
    [
        ("mape", 3, "`loss` must have a meaning for classes and 3 outputs, but got mean_absolute_percentage_error"),
        ("circle", 3, "must have a meaning for classes and 3 outputs, but got circle"),
        (keras.losses.CTC(), 3, "but got CTC"),
    ],
)
def test_losses_without_a_meaning_are_refused_by_name(loss, n, text):
    with pytest.raises(ValueError, match=text):
        classifier(loss, n).fit(*IRIS)


@pytest.mark.parametrize("loss", ["categorical_crossentropy", "sparse_categorical_crossentropy", "cosine_similarity"])
def test_of_a_single_output_these_learn_nothing(loss):
    with pytest.raises(ValueError, match="have a meaning for classes and 1 output, but got .*Use binary_crossentropy"):
        classifier(loss, 1, "sigmoid").fit(*CANCER)


def rows_of(y):
    return (y[:, None] == np.unique(y)).astype(int)


@pytest.mark.medium
def test_one_hot_targets_come_back_as_rows():
    rows = rows_of(IRIS[1])
    fitted = classifier("sparse_categorical_crossentropy").fit(IRIS[0], rows)
    assert fitted.target_type_ == "multiclass-onehot" and fitted.classes_.tolist() == [0, 1, 2]
    assert fitted.predict(IRIS[0]).shape == rows.shape and fitted.score(IRIS[0], rows) > 0.8


@pytest.mark.medium
def test_several_labels_a_sample():
    labels = np.column_stack([CANCER[1], CANCER[0][:, 0] > 0, CANCER[0][:, 1] > 0]).astype(int)
    fitted = classifier("binary_crossentropy", 3, "sigmoid").fit(CANCER[0], labels)
    assert fitted.target_type_ == "multilabel-indicator" and fitted.score(CANCER[0], labels) > 0.7
    assert fitted.predict(CANCER[0][:4]).tolist()[0][0] in (0, 1) and fitted.predict_proba(CANCER[0][:4]).shape == (
        4,
        3,
    )
    with pytest.raises(ValueError, match="several labels a sample"):
        classifier("sparse_categorical_crossentropy", 3).fit(CANCER[0], labels)


@pytest.mark.slow
def test_logarithms_of_probabilities():
    fitted = classifier("mse", epochs=1).fit(*IRIS)
    assert np.allclose(np.exp(fitted.predict_log_proba(IRIS[0])), fitted.predict_proba(IRIS[0]))


# Searches ------------------------------------------------------------------------------------------------


def choose(hp):
    loss = hp.Choice("loss", ["sparse_categorical_crossentropy", "categorical_crossentropy", "mse"])
    return model_of(loss, 3, rate=hp.Float("rate", 0.01, 0.05, default=0.03))


def tuned(space, **arguments):
    given = {"engine": "random", "trials": 3, "epochs": 12, "random_state": 0, "objective": "val_accuracy", **arguments}
    return tuning.TunedClassifier(space, **given)


def one_hot(hp):
    return model_of("categorical_crossentropy", 3, rate=hp.Float("rate", 0.01, 0.05, default=0.03))


@pytest.mark.slow
@pytest.mark.parametrize("cv", [5, StratifiedKFold(5, shuffle=True, random_state=0)], ids=["number", "splitter"])
def test_folds_come_from_the_labels_whatever_the_loss(cv):
    search = tuned(one_hot, cv=cv, trials=1, epochs=3).fit(*IRIS)
    labels = np.searchsorted(search.classes_, IRIS[1])
    for fold in range(5):
        _, held = search.study_.fold_data(fold).validation
        assert np.bincount(held).tolist() == [10, 10, 10]
    assert search.n_splits_ == 5 and len(labels) == 150


@pytest.mark.slow
def test_a_loss_that_is_searched():
    search = tuned(choose, engine="grid", options={"grid": {"loss": ["mse", "categorical_crossentropy",
        "sparse_categorical_crossentropy"]}}, trials=None, cv=2).fit(*IRIS)  # fmt: skip
    assert {t.state.value for t in search.study_.trials} == {"COMPLETED"}
    assert search.cv_results_["mean_test_score"].min() > 0.8 and search.score(*IRIS) > 0.8


@pytest.mark.slow
def test_what_was_searched_is_evaluated_again():
    search = tuned(one_hot, refit="weights").fit(*IRIS)
    assert search.study_.evaluate()["accuracy"] == pytest.approx(search.best_score_)


@pytest.mark.slow
def test_labels_of_every_form_are_searched():
    assert tuned(one_hot).fit(IRIS[0], rows_of(IRIS[1])).predict(IRIS[0][:5]).shape == (5, 3)
    labels = (CANCER[0][:, :3] > 0).astype(int)
    search = tuned(lambda hp: model_of("binary_crossentropy", 3, "sigmoid"), trials=1, cv=2).fit(CANCER[0], labels)
    assert search.predict(CANCER[0]).shape == labels.shape


def raises():
    raise RuntimeError("not this one")


@pytest.mark.medium
@pytest.mark.parametrize(
    "default",
    [
        raises,
        *slowly(lambda: model_of("mse", 2), keras.Sequential),
        *slowly(lambda: keras.Sequential([keras.layers.Dense(3)]), lambda: keras.Sequential),
        *slowly(lambda: model_of("mape", 3), lambda: model_of("no_such_loss", 3), int),
    ],
    ids=["raises", "outputs", "empty", "uncompiled", "class", "meaningless", "unknown", "no model"],
)
def test_a_default_that_is_no_model_ends_no_search(default):
    def build(hp):
        return default() if hp.Choice("kind", ["default", "other"]) == "default" else model_of("mse", 3)

    try:
        search = tuned(build, trials=None).fit(*IRIS)
    except TuningError as error:
        pytest.fail(f"the search ended: {error}")
    assert {t.values["kind"]: t.state.value for t in search.study_.trials} == {
        "default": "FAILED",
        "other": "COMPLETED",
    }
    assert search.best_score_ > 0.5
