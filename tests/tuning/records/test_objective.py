"""Objectives: how they are read, what is better, and which of several decides about epochs."""

import math

import pytest

from tuning.errors import ObjectiveError
from tuning.records.objective import Objective, known_direction, listed, primary

LEAST, MOST = Objective("val_loss", "min"), Objective("val_accuracy", "max")


@pytest.mark.parametrize(
    ("metric", "outputs", "direction"),
    [
        ("val_loss", (), "min"),
        ("accuracy", (), "max"),
        ("RootMeanSquaredError", (), "min"),
        ("val_SparseTopKCategoricalAccuracy", (), "max"),
        ("val_price_mae", ("price", "kind"), "min"),
        ("val_price_mae", (), None),
        ("n_params", (), "min"),
        ("val_n_params", (), None),
        ("my_accuracy", (), None),
        ("lossless", (), None),
    ],
)
def test_only_whole_names_of_keras_have_a_direction(metric, outputs, direction):
    assert known_direction(metric, outputs) == direction


def test_a_direction_that_is_given_is_kept():
    assert Objective.parse("val_loss:max") == Objective("val_loss", "max")
    assert Objective.parse("val_f1:macro:max") == Objective("val_f1:macro", "max")
    assert Objective.parse(MOST) is MOST and str(MOST) == "val_accuracy:max" and Objective.parse(str(MOST)) == MOST


def test_one_of_keras_tuner_is_taken():
    class Theirs:
        name, direction = "score", "min"

    assert Objective.split(Theirs()) == ("score", "min")
    assert Objective.split("score") == ("score", None)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("val_f2", "it is none of the metrics that Keras ships. Write 'val_f2:max' or 'val_f2:min'"),
        ("val_loss:up", "must end in ':min' or ':max', but got 'val_loss:up'"),
        ("val_loss:", "must end in ':min' or ':max'"),
        (3, "must be a metric's name such as"),
    ],
)
def test_what_cannot_be_read_is_refused(given, says):
    with pytest.raises(ObjectiveError) as error:
        Objective.parse(given)
    assert says in str(error.value)


def test_what_is_better_follows_the_direction():
    assert LEAST.is_better(1.0, 2.0) and not LEAST.is_better(2.0, 1.0) and not LEAST.is_better(1.0, 1.0)
    assert MOST.is_better(2.0, 1.0) and not MOST.is_better(1.0, 2.0) and not MOST.is_better(1.0, 1.0)


@pytest.mark.parametrize("objective", [LEAST, MOST])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_never_wins(objective, value):
    assert not objective.is_better(value, None) and objective.is_better(0.0, None)
    assert objective.best([value, 3.0, value]) == (1, 3.0) and objective.best([value]) is None
    assert objective.best([]) is None


def test_the_first_of_equal_values_is_the_best():
    values = [2.0, 1.0, 2.0, 1.0]
    assert LEAST.best(values) == (1, 1.0) and MOST.best(values) == (0, 2.0)
    assert sorted(values, key=MOST.sort_key) == [2.0, 2.0, 1.0, 1.0] and min(values, key=LEAST.sort_key) == 1.0


def test_one_or_several_are_a_list():
    assert listed("val_loss") == ["val_loss"] and listed(MOST) == [MOST]
    assert listed(("n_params", MOST)) == ["n_params", MOST]
    assert primary(["n_params", "predict_ms:min", MOST, LEAST]) is MOST
    assert Objective("n_params", "min").is_resource and not MOST.is_resource


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (["val_loss", "val_loss:max"], "must name each metric once, but got val_loss, val_loss"),
        (["n_params", "model_bytes"], "but got n_params, model_bytes, which no training makes better"),
        ([], "must have a metric that training reports"),
    ],
)
def test_several_that_do_not_make_sense_are_refused(given, says):
    with pytest.raises(ObjectiveError) as error:
        listed(given)
    assert says in str(error.value)
