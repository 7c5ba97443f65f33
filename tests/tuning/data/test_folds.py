"""Folds: how data are divided, joined and taken apart again."""

import numpy as np
import pandas
import pytest
from sklearn.model_selection import GroupKFold, KFold, ShuffleSplit, StratifiedKFold

from search_spaces.data import digits
from tuning.data import Data, fold, with_folds
from tuning.errors import DataError, OptionError

X = np.arange(40.0).reshape(20, 2)


def divided(cv, y=None, seed=0, **parts):
    return with_folds(Data(X, np.linspace(0, 1, 20) if y is None else y, **parts), cv, seed)


def test_every_row_validates_once_and_never_trains_where_it_validates():
    data, description = divided(4)
    assert description["folds"] == 4 == len(data.folds)
    assert sorted(np.concatenate([test for _, test in data.folds])) == list(range(20))
    for index, (train, test) in enumerate(data.folds):
        part = fold(data, index)
        assert not set(train) & set(test) and len(train) + len(test) == 20
        np.testing.assert_array_equal(part.x, X[train])
        np.testing.assert_array_equal(part.validation[0], X[test])
        np.testing.assert_array_equal(part.validation[1], data.y[test])
        assert part.folds is None and part.sample_weight is None and len(part.validation) == 2


@pytest.mark.parametrize("kind", ["int", "bool", "text", "column"])
def test_classes_are_stratified(kind):
    y = np.repeat([0, 1], [4, 16])
    targets = {"int": y, "bool": y == 1, "text": np.array(["no", "yes"])[y], "column": y[:, None]}[kind]
    data, description = divided(4, targets)
    assert description["splitter"].startswith("StratifiedKFold(n_splits=4, random_state=0, shuffle=True")
    assert [np.bincount(y[test]).tolist() for _, test in data.folds] == 4 * [[1, 4]]
    theirs = StratifiedKFold(4, shuffle=True, random_state=0).split(X, y)
    for (train, test), (mine, my_test) in zip(theirs, data.folds, strict=True):
        assert train.tolist() == mine.tolist() and test.tolist() == my_test.tolist()


@pytest.mark.parametrize("y", [np.linspace(0, 1, 20), np.arange(20), np.eye(2)[np.arange(20) % 2]])
def test_other_targets_are_not(y):
    assert divided(4, y)[1]["splitter"].startswith("KFold(n_splits=4")


def test_the_seed_decides():
    first, again, other = (divided(3, seed=seed)[1] for seed in (1, 1, 2))
    assert first == again != other


def test_training_and_validation_data_are_joined_and_the_test_split_is_left_alone():
    data, _ = with_folds(digits(), 5, 0)
    assert len(data.x) == 1010 + 337 and data.validation is None
    part = fold(data, 0)
    assert part.x.dtype == np.float32 and part.x.shape[1:] == (8, 8) and part.y.dtype == np.uint8
    assert part.load_test is None and len(data.load_test()[0]) == 450


def test_weights_are_divided_too():
    data = Data(X[:15], np.zeros(15), (X[15:], np.zeros(5), np.full(5, 2.0)))
    data, _ = with_folds(data, KFold(4), 0)
    assert fold(data, 3).validation[2].tolist() == 5 * [2.0]
    assert fold(data, 3).sample_weight.tolist() == 15 * [1.0]
    assert fold(data, 0).sample_weight.tolist() == 10 * [1.0] + 5 * [2.0]


def test_several_inputs_and_outputs():
    y = {"a": np.arange(20), "b": np.arange(20.0)[:, None]}
    for x in ({"left": X, "right": X[:, :1]}, (X, X[:, :1]), [X, X[:, :1]], pandas.DataFrame(X, columns=["p", "q"])):
        data, _ = with_folds(Data(x, y, (x, y)), KFold(5), 0)
        part = fold(data, 1)
        assert type(part.x) is type(x) and part.y["a"].tolist() == [*range(8), *range(16, 20), *range(20)]
        first = part.validation[0]
        shown = first["left"] if isinstance(first, dict) else first[0] if isinstance(first, (list, tuple)) else first
        np.testing.assert_array_equal(shown, X[8:16])


def test_splitters_and_given_rows():
    rows = [(range(10), [10, 11]), ([0], np.arange(20) > 15)]
    data, description = divided(rows)
    assert data.folds[0][0].tolist() == list(range(10)) and data.folds[1][1].tolist() == [16, 17, 18, 19]
    assert description["splitter"] == "given rows" and not description["is_number"]
    data, description = divided(pair for pair in rows)
    assert data.folds[1][1].tolist() == [16, 17, 18, 19] and description["splitter"] == "given rows"
    assert not description["is_number"]
    data, description = divided(ShuffleSplit(3, test_size=0.2, random_state=1))
    assert description["folds"] == 3 and "ShuffleSplit" in description["splitter"] and not description["is_number"]


@pytest.mark.parametrize("cv", [1, True, "five", 2.5, 21, [], [([0], [])], [([0], [99])], [3], GroupKFold(2)])
def test_what_divides_nothing_is_refused(cv):
    with pytest.raises(OptionError, match="`cv` must"):
        divided(cv)


def test_data_without_rows_are_refused():
    with pytest.raises(DataError, match="whose rows can be chosen"):
        with_folds(Data(iter([1])), 3, 0)
