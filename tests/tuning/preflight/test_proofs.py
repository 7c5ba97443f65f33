"""What plain Keras trains is not refused; what is odd about it is remarked on; refusals can be turned into remarks."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import tuning
from tuning import Data
from tuning.errors import DataError, ObjectiveError, SpaceError
from tuning.preflight import check
from tuning.space import as_space

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4)).astype("float32")
Y = X[:, :1].copy()
CLASSES = X[:, :3].argmax(1)


def model(loss, n_outputs=1, activation=None, first=(), **options):
    def build_model(hp):
        stack = [*(make() for make in first), layers.Dense(hp.Int("units", 2, 4)), layers.Dense(n_outputs, activation)]
        made = keras.Sequential(stack)
        made.compile("sgd", loss, **options)
        return made

    return build_model


def look(space, x=X, y=Y, validation=None, objective="loss", checks="refuse", **options):
    return check(as_space(space), Data(x, y, validation), objective, {}, options, checks=checks)


def masked_mse(y, made):
    known = ops.isfinite(y)
    return ops.mean(ops.where(known, ops.square(ops.where(known, y, 0.0) - made), 0.0))


class Filled(layers.Layer):
    def call(self, x):
        return ops.where(ops.isfinite(x), x, 0.0)


@pytest.mark.medium
def test_nan_that_the_loss_masks_or_the_model_replaces_is_remarked_on():
    x, y = X.copy(), Y.copy()
    x[45, 2] = y[50] = np.nan
    assert "1 of 60 values are NaN" in look(model(masked_mse), y=y).remarks[0]
    assert "1 of 240 values are NaN" in look(model("mse", first=[Filled]), x=x).remarks[0]
    with pytest.raises(DataError, match="y of the training data must be finite"):
        look(model("mse"), y=y)


@pytest.mark.medium
def test_nan_in_the_validation_data_counts_where_it_is_validated_on():
    y = Y.copy()
    y[50] = np.nan
    with pytest.raises(DataError, match="y of the validation data must be finite"):
        look(model("mse"), validation=(X, y), objective="val_loss")
    assert look(model(masked_mse), validation=(X, y), objective="val_loss").remarks


@pytest.mark.medium
def test_a_class_that_the_loss_leaves_out_is_no_mistake():
    y = CLASSES.copy()
    y[::3] = -1
    loss = keras.losses.SparseCategoricalCrossentropy(ignore_class=-1)
    assert look(model(loss, 3, "softmax"), y=y).metrics
    with pytest.raises(DataError, match=r"must be class ids 0 \.\. 1"):
        look(model(loss, 2, "softmax"), y=y)


def test_labels_of_no_weight_are_no_mistake():
    y = (CLASSES > 0).astype("float32")
    y[::4] = 7
    data = Data(X, y, sample_weight=(y < 2).astype("float32"))
    assert check(as_space(model("binary_crossentropy", 1, "sigmoid")), data, "loss", {}, {}).metrics


@pytest.mark.medium
def test_a_loss_of_ones_own_may_mean_something_else_by_a_known_name():
    def sparse_categorical_crossentropy(y, made):
        return ops.mean(ops.square(y - made))

    assert look(model(sparse_categorical_crossentropy, 3)).metrics
    assert look(model(keras.losses.Poisson(name="sparse_categorical_crossentropy"), activation="exponential"), y=Y * 0)


class Prepares(tuning.SearchSpace):
    """Counts classes from 0 and puts in order what came apart."""

    def build(self, hp):
        return model("sparse_categorical_crossentropy", 3, "softmax")(hp)

    def fit(self, hp, model, x, y, **options):
        return model.fit(x[: len(y)], y - 1, **options)


@pytest.mark.medium
def test_what_fit_hands_on_is_judged_and_not_what_it_was_given():
    found = look(Prepares(), y=CLASSES[:50] + 1)
    assert "must have the same number of samples, but have 60 and 50" in found.remarks[0]
    with pytest.raises(DataError, match="must be class ids"):
        look(Prepares(), y=CLASSES)


class Long(tuning.SearchSpace):
    """Needs more rows than a batch has, and data of its own."""

    def build(self, hp):
        return model("mse")(hp)

    def fit(self, hp, model, *args, **options):
        x = X if not args else args[0]
        windows = np.lib.stride_tricks.sliding_window_view(x[:, 0], hp.Int("length", 40, 50))[:-1]
        return model.fit(windows, windows[:, 0], **options)


@pytest.mark.medium
@pytest.mark.parametrize("x", [X, None])
def test_a_fit_that_needs_all_of_the_data_or_none_gets_it(x):
    found = look(Long(), x=x, y=None)
    assert [h.name for h in found.hyperparameters] == ["units", "length"] and "loss" in found.metrics


def endless():
    while True:
        yield X[:8], Y[:8]


@pytest.mark.medium
def test_a_generator_that_all_trials_share_must_say_how_long_an_epoch_is():
    with pytest.raises(DataError, match="`x` must .* generator without steps_per_epoch"):
        look(model("mse"), x=endless(), y=None)
    assert "without steps_per_epoch" in look(model("mse"), x=endless(), y=None, checks="warn").remarks[0]
    assert "all trials share" in look(model("mse"), x=endless(), y=None, steps_per_epoch=2).remarks[0]
    with pytest.raises(DataError, match="`validation_data` must .* without validation_steps"):
        look(model("mse"), validation=endless())
    with pytest.raises(ObjectiveError, match="Did you mean 'loss'"):
        look(model("mse"), x=endless(), y=None, steps_per_epoch=2, objective="los")


@pytest.mark.medium
def test_a_generator_of_each_trials_own_is_remarked_on_where_it_may_have_no_end():
    assert look(model("mse"), x=endless, y=None, steps_per_epoch=2).remarks == ()
    assert "x is a generator without steps_per_epoch" in look(model("mse"), x=endless, y=None).remarks[0]
    assert "x is a generator without steps_per_epoch" in look(Yields(), y=None).remarks[0]


class Yields(Prepares):
    """Makes a generator of what it is given, which ends with the epoch."""

    def build(self, hp):
        return model("mse")(hp)

    def fit(self, hp, model, x, **options):
        return model.fit(((x[i : i + 8], x[i : i + 8, :1]) for i in range(0, len(x), 8)), **options)


def test_several_numbers_that_fit_returns_are_no_score():
    class Several(Yields):
        def fit(self, hp, model, x, **options):
            model.fit(x, x[:, :1], **options)
            return [0.5, 0.7]

    assert "`fit` returns 2 numbers" in look(Several(), y=None).remarks[0]


@pytest.mark.medium
def test_a_metric_with_a_value_a_class_decides_nothing_and_harms_nothing():
    build = model("categorical_crossentropy", 3, "softmax", metrics=[keras.metrics.F1Score()])
    hot = np.eye(3, dtype="float32")[CLASSES]
    assert look(build, y=hot).metrics == ("loss",)
    with pytest.raises(ObjectiveError, match="average='macro'"):
        look(build, y=hot, objective="f1_score")


@pytest.mark.medium
def test_the_metric_of_an_output_is_guessed():
    def build(hp):
        inputs = keras.Input((4,))
        made = keras.Model(inputs, {name: layers.Dense(1, name=name)(inputs) for name in ("value", "other")})
        made.compile("sgd", {"value": "mse", "other": "mse"}, metrics={"value": ["mae"]})
        return made

    with pytest.raises(ObjectiveError, match="Did you mean 'val_value_mae'"):
        look(build, y={"value": Y, "other": Y}, validation=(X, {"value": Y, "other": Y}), objective="val_mae")


@pytest.mark.medium
def test_a_text_column_is_named_and_no_value_of_it():
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame({"size": X[:, 0], "town": ["Uzhhorod"] * 60})
    with pytest.raises(DataError, match="column 'town' of x holds texts") as error:
        look(model("mse"), x=table)
    assert "Uzhhorod" not in str(error.value)


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (lambda hp: None, "Does it end in `return model`"),
        (lambda hp: (hp.Int("units", 2, 4), "model"), "it must return a model, but returned a tuple"),
        (lambda hp: keras.Sequential([layers.Dense(1)]), "compile"),
    ],
)
def test_what_build_returns_must_be_a_compiled_model(build, says):
    with pytest.raises(SpaceError, match=says):
        look(build)


def test_what_build_returns_must_be_a_new_model():
    made = model("mse")(tuning.HyperParameters())
    with pytest.raises(SpaceError, match="`build` must return a new model each time"):
        look(lambda hp: made)


@pytest.mark.medium
def test_a_refusal_can_be_a_remark():
    found = look(model("sparse_categorical_crossentropy", 5, "softmax"), y=CLASSES - 1, checks="warn")
    assert "must be class ids" in found.remarks[0] and len(found.hyperparameters) == 1
    assert "could not be built" in look(lambda hp: None, checks="warn").remarks[0]
