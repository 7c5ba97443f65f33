"""What people know from other tuners, and what cannot be: each is answered by what to write here."""

import pytest

import tuning
from tuning.driver.request import FOREIGN
from tuning.errors import OptionError, SpaceError


@pytest.mark.parametrize("name", FOREIGN)
def test_arguments_of_other_tuners_are_answered_by_ours(curve_space, tmp_path, name):
    with pytest.raises(OptionError, match=rf"`{name}` is an argument of {FOREIGN[name][0]}; here "):
        tuning.search(curve_space, logs=tmp_path, verbose=0, **{name: 3})
    assert not list(tmp_path.iterdir())


class Own(tuning.SearchSpace):
    name, objective = "own", "score:max"

    def build(self, hp):
        return hp.Float("a", 0, 1)

    def fit(self, hp, model, x, n_iter=1, **_):
        return model * n_iter

    def load_data(self):
        return tuning.Data([1.0, 2.0])


def test_what_the_space_names_itself_is_its_own(tmp_path):
    given = {"engine": "random", "trials": 1, "epochs": 1, "logs": tmp_path, "verbose": 0}
    assert tuning.search(Own(), n_iter=5, **given).best.score > 0


def test_a_file_is_no_folder_of_studies(curve_space, tmp_path, tune_here):
    (tmp_path / "file").write_text("")
    for logs in ("file", "file/below"):
        done = tune_here("run", curve_space, "--logs", logs)
        assert done.returncode == 1 and "`logs` must be a folder" in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1


class Chooses(Own):
    def build(self, hp):
        return {"sgd": 1.0, "adam": 2.0}[hp.Choice("optimizer", ["sgd", "adam"])]


def test_a_fixed_value_that_is_not_legal_is_said_to_be_that(tmp_path):
    with pytest.raises(SpaceError, match="optimizer") as error:
        tuning.search(Chooses(), fix={"optimizer": "rmsprop"}, logs=tmp_path, verbose=0, in_process=True)
    assert "could not be built" not in str(error.value) and "sgd" in str(error.value), error.value
