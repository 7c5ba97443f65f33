"""A search that begins with the best of other studies."""

import shutil

import pytest

import tuning
from tests.conftest import SPACES
from tests.layers import few
from tests.processes import outcome
from tuning.engines.first import first_tries, fitting
from tuning.errors import OptionError, StudyError
from tuning.hyperparameters import Boolean, Choice, Condition, Fixed, Float, Int

CURVE = str(SPACES / "curve.py")
SPACE = (
    Int("units", 64, low=16, high=256, step=16),
    Float("rate", 0.1, low=0.01, high=1.0, sampling="log"),
    Choice("optimizer", "sgd", choices=("sgd", "adam")),
    Boolean("nesterov", False, conditions=(Condition("optimizer", ("sgd",)),)),
    Fixed("version", 3),
)


@pytest.fixture
def search(tmp_path):
    def call(space=CURVE, **arguments):
        defaults = {"engine": "random", "trials": 5, "epochs": 1, "seed": 0, "logs": tmp_path, "verbose": 0}
        return tuning.search(space, **{**defaults, **arguments})

    return call


def values(study, n=None):
    return [dict(t.values) for t in study.trials][:n]


@pytest.mark.parametrize(
    ("given", "complete", "missing"),
    [
        ({"units": 32, "rate": 0.5, "optimizer": "adam"}, {"units": 32, "rate": 0.5, "optimizer": "adam"}, []),
        ({"units": 33, "momentum": 0.9}, {"units": 64}, ["units=33", "momentum=0.9"]),
        ({"rate": 1, "nesterov": True}, {"rate": 1.0, "nesterov": True}, []),
        ({"optimizer": "adam", "nesterov": True}, {"optimizer": "adam"}, []),
        ({"version": 4}, {}, ["version=4"]),
        ({"optimizer": None}, {}, ["optimizer=None"]),
    ],
)
def test_a_configuration_of_another_space(given, complete, missing):
    found, left_out = fitting(SPACE, given)
    defaults = {"units": 64, "rate": 0.1, "optimizer": "sgd", "nesterov": False, "version": 3}
    expected = {**defaults, **complete}
    if expected["optimizer"] == "adam":
        del expected["nesterov"]
    assert (found, left_out) == (expected, missing)
    assert type(found["rate"]) is float


@pytest.mark.medium
def test_the_best_of_each_are_tried_first_and_stored(search, tmp_path):
    one, two = search(study="one"), search(study="two", seed=1)
    warm = search(study="warm", seed=2, trials=8, warm_start=["one", tmp_path / "two"], tries=[{"b": 9}])
    expected = []
    for place in range(3):
        expected += [one.best_values(3)[place], two.best_values(3)[place]]
    assert values(warm)[0]["b"] == 9 and values(warm)[1:6] == expected[:5]
    assert list(warm.definition.warm_start) == ["one", "two"] and len(first_tries(warm.definition)) == 6
    assert "--from one --from two" in warm.command()


@pytest.mark.medium
@pytest.mark.parametrize("engine", ["optuna", "hyperband"])
def test_cut_it_goes_on_without_the_other_study(search, tmp_path, engine):
    search(study="one")
    arguments = {"engine": engine, "trials": 6, "epochs": 3}
    straight = search(**arguments, study="straight", warm_start=["one"])
    search(**{**arguments, "trials": 2}, study="cut", warm_start=["one"])
    search(study="one", trials=7)  # which has other best ones now, maybe
    again = search(**{**arguments, "trials": 3}, study="cut", warm_start=["one"])
    assert values(again, 3) == values(straight, 3), "what was taken once is kept"
    shutil.rmtree(tmp_path / "one")
    assert outcome(search(**arguments, study="cut")) == outcome(straight)
    with pytest.raises(StudyError, match="studies to begin with are none, in the study one"):
        search(**arguments, study="cut", warm_start=[])


@pytest.mark.medium
def test_what_this_space_does_not_have_is_left_out_and_said(search, tmp_path):
    def similar(hp):
        return hp.Float("a", 0, 2), hp.Int("depth", 1, 3), hp.Choice("k", ["y"])

    given = {"objective": "val_acc:max", "epochs": 1, "trials": 4, "seed": 3, "logs": tmp_path}
    with tuning.open(similar, **given) as study:
        while (trial := study.ask()) is not None:
            study.tell(trial, trial.params["a"])
    said = []

    class Listener(tuning.Observer):
        def remarked(self, text):
            said.append(text)

    warm = search(study="warm", warm_start=[tuning.load(study.path)], observers=[Listener()])
    taken = warm.definition.warm_start[study.path.name]
    assert values(warm, len(taken)) == [dict(one) for one in taken] and {one["k"] for one in taken} == {"y"}
    assert taken[0]["a"] == 0.0, "the best one's is not legal here"
    assert "begins with the best" in said[0] and "depth=" in said[0]
    assert f"a={max(t.values['a'] for t in study.trials)}" in said[0]


@pytest.mark.medium
def test_the_process_learns_from_all_trials_of_the_others_and_other_engines_do_not(search):
    one = search(study="one", trials=12)
    options = {"sampler": "gaussian_process"}  # in auto it is too slow for trials that take no time
    arguments = {"engine": "optuna", "trials": 6, "options": options, "warm_start": ["one"]}
    warm = search(study="warm", **arguments)
    told = warm.definition.lessons["one"]
    assert {(lesson.values["a"], -lesson.score) for lesson in told} == {(t.values["a"], t.score) for t in one.trials}
    assert search(study="random", engine="random", warm_start=["one"]).definition.lessons == {}
    begun = search(study="tried", **{**arguments, "warm_start": None, "tries": one.best_values(3)})
    assert values(begun, 3) == values(warm, 3) and values(begun)[3:] != values(warm)[3:]
    cut = search(study="cut", **{**arguments, "trials": 4})
    assert cut.definition.lessons == warm.definition.lessons
    assert outcome(search(study="cut", **{**arguments, "warm_start": None})) == outcome(warm)


@pytest.mark.medium
def test_a_program_may_begin_with_others(search, tmp_path):
    one = search(study="one")
    with pytest.warns(tuning.errors.Remark, match="begins with the best 3 of one"):
        study = tuning.open(CURVE, warm_start=["one"], logs=tmp_path, study="told")
    with study:
        assert study.ask().params == one.best.values


@pytest.mark.medium
def test_from_the_command_line(search, tmp_path, tune_here):
    one = search(study="one", logs=tmp_path / "logs")
    done = tune_here("run", CURVE, "--trials", 2, "--epochs", 1, "--from", "one", "--study", "warm", "--workers", 1)
    assert done.returncode == 0, done.stderr
    assert "begins with the best 3 of one" in done.stderr
    assert values(tuning.load(tmp_path / "logs" / "warm")) == one.best_values(2)
    assert "begun with the best of one" in tune_here("show", "warm").stdout


@pytest.mark.medium
@pytest.mark.parametrize(
    ("given", "error"),
    few(
        [
            (["nothing"], "`warm_start` must name studies in"),
            (["other"], "'other' has no hyperparameter in common"),
            ("one", "be a list of studies"),
            ([3], "be a list of studies"),
            (["one", "one"], "name each study once"),
            (["warm"], "name each study once, and none of the search's own name"),
            (["empty"], "'empty' has no trial with a score"),
        ]
    ),
)
def test_what_is_refused(search, tmp_path, given, error):
    for name in ("one", "warm"):
        search(study=name, trials=1)
    for name, n in (("other", 1), ("empty", 0)):
        with tuning.open(lambda hp: hp.Int("z", 1, 3), objective="val_loss", logs=tmp_path, study=name) as study:
            for _ in range(n):
                study.tell(study.ask(), 1)
    with pytest.raises(OptionError, match=error):
        search(study="warm", overwrite=True, warm_start=given)
