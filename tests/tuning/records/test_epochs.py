"""Epochs that are packed are the same epochs."""

import copy
import json
import math
import pickle
import sys

import pytest

from tuning.records.epochs import PackedEpochs, from_json, names_in, packed, to_json
from tuning.records.objective import Objective
from tuning.records.trial import Curve

EPOCHS = tuple({"loss": 1 / (n + 1), "accuracy": float(n), "val_loss": -float(n)} for n in range(50))


def test_they_are_what_they_were():
    one = packed(EPOCHS)
    assert isinstance(one, PackedEpochs) and len(one) == 50 and packed(one) is one
    whole, some = EPOCHS, list(EPOCHS)
    assert one == whole and whole == one and tuple(one) == whole and one != whole[1:] and one != some
    assert one[3] == EPOCHS[3] and one[-1] == EPOCHS[-1] and list(one[-1]) == list(EPOCHS[-1])
    assert one[2:9:3] == EPOCHS[2:9:3] and one[:0] == () and repr(one) == repr(EPOCHS)
    assert one[3:7] == EPOCHS[3:7] == (*one[-47:-43],) and isinstance(one[3:7], PackedEpochs) and one[7:3] == ()
    assert copy.deepcopy(one) == pickle.loads(pickle.dumps(one)) == EPOCHS
    with pytest.raises(IndexError):
        one[50]


def test_a_curve_is_what_it_was():
    curve, resting = Curve(EPOCHS), Curve(EPOCHS).packed()
    assert resting == curve and len(resting) == 50 and resting.packed() == curve
    assert resting.values("accuracy") == curve.values("accuracy") and all(map(math.isnan, resting.values("rare")))
    for first, until in ((0, None), (3, 20)):
        assert resting.best(Objective("loss", "min"), first, until) == curve.best(
            Objective("loss", "min"), first, until
        )
    assert resting.until(7) == curve.until(7)
    assert resting.extended(EPOCHS[0]) == curve.extended(EPOCHS[0])


def test_they_take_a_tenth():
    def size(epochs):
        return sum(sys.getsizeof(epoch) + sum(map(sys.getsizeof, epoch.values())) for epoch in epochs)

    one = packed(EPOCHS)
    assert 7 * (sys.getsizeof(one) + sys.getsizeof(one._numbers)) < size(EPOCHS)
    other = packed(pickle.loads(pickle.dumps(EPOCHS)))
    assert one.names is other.names, "each message of a worker brings its names along"


def test_stored_they_are_the_same():
    odd = ({"a": math.inf, "b": -0.0}, {"b": 1e-310, "a": 1})
    for epochs in (EPOCHS, packed(EPOCHS), odd, (), ({},), ({"a": 1.0}, {"b": -math.inf}), EPOCHS[:1]):
        stored = json.dumps(to_json(epochs), allow_nan=False)
        assert from_json(json.loads(stored)) == tuple(epochs) and names_in(epochs) == {n for e in epochs for n in e}
        assert str(tuple(from_json(json.loads(stored)))) == str(tuple(packed(epochs)))
    assert math.isnan(from_json(to_json([{"a": math.nan}]))[0]["a"])
    assert to_json([{"a": 1.0}]) == {"names": ["a"], "numbers": "AAAAAAAA8D8="}, "on every machine"


@pytest.mark.parametrize("epochs", [(), ({},), ({"a": 1.0}, {"b": 2.0}), ({"a": 1.0}, {"a": 1.0, "b": 2.0})])
def test_epochs_that_differ_stay_mappings(epochs):
    assert packed(epochs) == packed(list(epochs)) == epochs and not isinstance(packed(epochs), PackedEpochs)


def test_numbers_that_no_json_holds():
    assert math.isnan(packed([{"a": "nan"}])[0]["a"]) and packed([{"a": "-inf"}, {"a": 1}]) == (
        {"a": -math.inf},
        {"a": 1},
    )
