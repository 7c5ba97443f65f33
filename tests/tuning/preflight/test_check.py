"""Preflight refuses what can only waste time, in words that say what to do, and finds every hyperparameter."""

import numpy as np
import pytest

import tuning
from tests.layers import few
from tuning import Data
from tuning.errors import DataError, ObjectiveError, SpaceError
from tuning.preflight import check
from tuning.records.objective import Objective
from tuning.space import as_space

keras = pytest.importorskip("keras")
RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 8)).astype("float32")
CLASSES = RNG.integers(0, 3, size=60)
PRICES = RNG.uniform(0.15, 5.0, size=60).astype("float32")


def classifier(units=3, loss="sparse_categorical_crossentropy", activation="softmax", metrics=("accuracy",)):
    def build_model(hp):
        model = keras.Sequential(
            [
                keras.layers.Dense(hp.Int("n_neurons", 4, 16), activation="relu"),
                keras.layers.Dense(units, activation=activation),
            ]
        )
        model.compile("sgd", loss, metrics=list(metrics))
        return model

    return build_model


def look(build_model, y, objective="val_accuracy", x=X, fix=None, **options):
    data = Data(x[:40], y[:40], (x[40:], y[40:]))
    return check(as_space(build_model), data, objective, fix or {}, options)


@pytest.mark.medium
def test_a_sound_search_passes_and_its_hyperparameters_and_metrics_are_found():
    findings = look(classifier(), CLASSES)
    assert [h.name for h in findings.hyperparameters] == ["n_neurons"]
    assert set(findings.metrics) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert findings.uses_keras


@pytest.mark.medium
def test_the_published_notebook_on_the_wrong_data_set_is_refused():
    """Ten softmax units and accuracy on house prices train for an hour at val_accuracy 0.0047 without a word."""
    with pytest.raises(DataError, match="must be class ids 0 .. 9") as error:
        look(classifier(10), PRICES)
    assert "regression targets" in str(error.value) and "mse" in str(error.value)


@pytest.mark.medium
@pytest.mark.parametrize(
    ("build", "y", "says"),
    few(
        [
            (classifier(2), CLASSES, r"ids 0 \.\. 2. Give the last layer 3 units"),
            (classifier(3), CLASSES + 1, r"ids 1 \.\. 3"),
            (classifier(3), CLASSES - 1, r"ids -1 \.\. 1"),
            (classifier(1), CLASSES, "must have one unit a class"),
            (classifier(1, "categorical_crossentropy"), CLASSES, "whose value is always 1"),
            (classifier(3, "categorical_crossentropy"), CLASSES, "Use loss='sparse_categorical_crossentropy'"),
            (classifier(3), np.eye(3)[CLASSES], "For one-hot rows use loss='categorical_crossentropy'"),
            (classifier(4, "categorical_crossentropy"), np.eye(3)[CLASSES], "must have 4 values a sample"),
            (classifier(1, "binary_crossentropy", "sigmoid"), CLASSES, "must be between 0 and 1"),
            (classifier(3, "mse", None, ("mae",)), PRICES, "must have 3 values a sample"),
            (classifier(1, "mse", None, ("accuracy",)), PRICES, "These look like regression targets"),
            (classifier(3, keras.losses.SparseCategoricalCrossentropy()), PRICES, "must be class ids"),
        ],
        6,
    ),
)
def test_labels_that_do_not_fit_are_refused(build, y, says):
    with pytest.raises(DataError, match=says):
        look(build, y)


@pytest.mark.medium
@pytest.mark.parametrize(
    ("build", "y"),
    [
        (classifier(3), CLASSES.astype("float32")),
        (classifier(3), CLASSES.reshape(-1, 1)),
        (classifier(5), CLASSES),
        (classifier(3, "categorical_crossentropy"), np.eye(3)[CLASSES]),
        (classifier(1, "binary_crossentropy", "sigmoid"), (CLASSES > 1)),
        (classifier(3, "binary_crossentropy", "sigmoid"), np.eye(3)[CLASSES]),
    ],
)
def test_labels_that_fit_are_not(build, y):
    assert look(build, y).metrics


@pytest.mark.medium
@pytest.mark.parametrize("where", ["x", "y"])
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_nan_and_infinity_in_the_data_are_refused(where, bad):
    x, y = X.copy(), PRICES.copy()
    (x if where == "x" else y)[3] = bad
    with pytest.raises(DataError, match=f"{where} of the training data must be finite"):
        look(classifier(1, "mse", None, ("mae",)), y, "val_mae", x=x)


def test_x_and_y_of_different_length_are_refused():
    with pytest.raises(DataError, match="same number of samples, but have 40 and 39"):
        check(as_space(classifier()), Data(X[:40], CLASSES[:39]), "loss", {}, {})


@pytest.mark.medium
def test_the_objective_must_be_reported():
    with pytest.raises(ObjectiveError, match="Did you mean 'val_accuracy'"):
        look(classifier(), CLASSES, "val_acc")
    with pytest.raises(ObjectiveError, match="There are no validation data"):
        check(as_space(classifier()), Data(X, CLASSES), "val_accuracy", {}, {})
    check(as_space(classifier()), Data(X, CLASSES), "val_accuracy", {}, {"validation_split": 0.2})


def test_input_of_another_shape_is_refused_with_the_reason():
    def build_model(hp):
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="softmax")])
        model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
        return model

    with pytest.raises(SpaceError, match="could not be built and trained on one batch"):
        look(build_model, CLASSES)


@pytest.mark.medium
def test_a_default_that_raises_is_forgiven_when_another_configuration_works():
    def build_model(hp):
        if hp.Int("n", 1, 9) == 1:
            raise ValueError("one is not enough")
        return classifier()(hp)

    assert {h.name for h in look(build_model, CLASSES).hyperparameters} == {"n", "n_neurons"}
    with pytest.raises(SpaceError, match="ValueError: one is not enough"):
        look(build_model, CLASSES, fix={"n": 1})


@pytest.mark.medium
def test_hyperparameters_of_fit_of_scopes_and_of_loops_are_found():
    class Space(tuning.SearchSpace):
        name, objective = "deep", "val_accuracy"

        def build(self, hp):
            for i in range(hp.Int("n_hidden", 1, 3)):
                hp.Int(f"units_{i}", 4, 8)
            optimizer = hp.Choice("optimizer", ["sgd", "adam"])
            with hp.conditional_scope("optimizer", ["adam"]):
                hp.Choice("variant", ["plain", "amsgrad"])
                with hp.conditional_scope("variant", ["amsgrad"]):
                    hp.Float("epsilon", 1e-8, 1e-6, sampling="log")
            assert optimizer
            return classifier()(hp)

        def fit(self, hp, model, *arguments, **options):
            if hp.Boolean("weighted"):
                options["class_weight"] = {0: 1, 1: 2, 2: hp.Float("weight", 1, 3)}
            return model.fit(*arguments, batch_size=hp.Choice("batch_size", [8, 16]), **options)

    names = [h.name for h in look(Space(), CLASSES).hyperparameters]
    assert {
        "n_hidden",
        "units_0",
        "units_1",
        "units_2",
        "optimizer",
        "variant",
        "epsilon",
        "weighted",
        "batch_size",
    } <= set(names)
    assert names.index("optimizer") < names.index("variant") < names.index("epsilon")


def two_outputs(hp):
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    h = keras.layers.Dense(hp.Int("n", 4, 8))(keras.layers.concatenate([a, b]))
    kind = keras.layers.Dense(3, "softmax", name="kind")(h)
    model = keras.Model([a, b], {"price": keras.layers.Dense(1, name="price")(h), "kind": kind})
    model.compile(
        "sgd",
        {"kind": "sparse_categorical_crossentropy", "price": "mse"},
        metrics={"kind": ["accuracy", "SparseTopKCategoricalAccuracy"], "price": ["RootMeanSquaredError"]},
    )
    return model


TWO_X = {"a": X[:, :4], "b": X[:, 4:]}
TWO_Y = {"kind": CLASSES, "price": PRICES}


def look_at_two(objective, y=TWO_Y, build_model=two_outputs):
    return check(as_space(build_model), Data(TWO_X, y, (TWO_X, y)), objective, {}, {})


@pytest.mark.medium
def test_several_inputs_and_outputs():
    assert {"kind_accuracy", "val_price_loss"} <= set(look_at_two("val_kind_accuracy").metrics)
    with pytest.raises(DataError, match="of output 'kind' must be class ids"):
        look_at_two("val_loss", {"kind": PRICES, "price": PRICES})


@pytest.mark.medium
def test_accuracy_of_one_output_needs_classes_there():
    def wrong(hp):
        model = two_outputs(hp)
        model.compile("sgd", {"kind": None, "price": "mse"}, metrics={"price": ["accuracy"]})
        return model

    with pytest.raises(DataError, match="labels of output 'price' must be classes, because accuracy is measured"):
        look_at_two("val_price_accuracy", build_model=wrong)
    assert "because accuracy is measured" in look_at_two("val_loss", build_model=wrong).remarks[0]


@pytest.mark.medium
def test_a_softmax_of_one_output_is_none_of_another():
    def unnamed(hp):
        model = two_outputs(hp)
        price, kind = (keras.layers.Activation("linear")(model.output[name]) for name in ("price", "kind"))
        kind = keras.layers.Activation("softmax")(kind)
        return compiled(keras.Model(model.inputs, {"price": price, "kind": kind}))

    def compiled(model):
        model.compile("sgd", {"kind": "sparse_categorical_crossentropy", "price": "mse"})
        return model

    assert look_at_two("val_loss", build_model=unnamed).metrics


@pytest.mark.medium
@pytest.mark.parametrize(
    ("name", "direction"),
    [
        ("val_kind_accuracy", "max"),
        ("val_kind_SparseTopKCategoricalAccuracy", "max"),
        ("val_price_RootMeanSquaredError", "min"),
        ("price_loss", "min"),
        ("val_price_loss:max", "max"),
    ],
)
def test_the_direction_of_one_outputs_metric_is_known(name, direction):
    assert look_at_two(name).objective == Objective(name.partition(":")[0], direction)


@pytest.mark.medium
@pytest.mark.parametrize(
    "name", few(["val_kind_acc", "val_rmse", "val_prise_RootMeanSquaredError", "accuracy:max", ""], 1)
)
def test_a_wrong_name_is_answered_by_all_that_training_reports(name):
    with pytest.raises(ObjectiveError, match="must be a metric that training reports") as error:
        look_at_two(name)
    for metric in look_at_two("loss").metrics:
        assert metric in str(error.value)


@pytest.mark.medium
def test_the_direction_of_a_metric_of_ones_own_must_be_given():
    gain = keras.metrics.MeanMetricWrapper(lambda y, predicted: -abs(y - predicted), name="gain")
    with pytest.raises(ObjectiveError, match="Write 'val_gain:max' or 'val_gain:min'"):
        look(classifier(1, "mse", None, (gain,)), PRICES, "val_gain")
    assert look(classifier(1, "mse", None, (gain,)), PRICES, "val_gain:max").objective.direction == "max"


def test_data_sets():
    import tensorflow

    batches = tensorflow.data.Dataset.from_tensor_slices((X, CLASSES)).batch(10)
    found = check(as_space(classifier()), Data(batches, None, batches), "val_accuracy", {}, {})
    assert "val_accuracy" in found.metrics
