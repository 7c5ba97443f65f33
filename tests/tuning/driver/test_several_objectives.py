"""Several objectives: what models cost, the Pareto set, and what every way to look at a study says of it."""

import json
import math
from dataclasses import replace

import numpy as np
import optuna
import pytest

import tuning
from tests.conftest import SPACES
from tests.layers import few
from tests.tensorboard_search import MadeUpSearch, definition
from tuning.engines.registry import make_engine, read_options, settle
from tuning.errors import ObjectiveError, OptionError, StudyError
from tuning.hyperparameters import Float
from tuning.records.definition import Definition
from tuning.records.objective import RESOURCES, Objective, listed, primary
from tuning.records.ranking import pareto
from tuning.records.trial import Curve, State, Training, Trial
from tuning.report.page import html as page_of
from tuning.tensorboard import TensorBoardObserver, hparams
from tuning.training.resources import measured, predict_ms

ACCURACY, PARAMS = Objective("val_accuracy", "max"), Objective("n_params", "min")
CURVE = str(SPACES / "curve.py")


# Objectives -----------------------------------------------------------------------------------------------


def test_the_direction_of_what_models_cost_is_known():
    assert [Objective.parse(name).direction for name in RESOURCES] == 4 * ["min"]
    given = listed(["n_params", "val_accuracy", "score:max"])
    assert primary(given) == "val_accuracy", "epochs differ in what training reports"
    assert listed("val_loss") == listed(["val_loss"]) == ["val_loss"]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (["n_params"], "must have a metric that training reports"),
        (["val_loss", "val_loss:max"], "must name each metric once"),
        (["val_loss", "score:up"], "must end in ':min' or ':max'"),
    ],
)
def test_objectives_that_do_not_fit(given, says):
    with pytest.raises(ObjectiveError) as error:
        listed(given)
    assert says in str(error.value)


# The Pareto set -------------------------------------------------------------------------------------------


def trial(number, *scores, state=State.COMPLETED):
    return Trial(number, {}, state, (Training(score=scores[0]),), scores=scores)


def test_the_pareto_set_is_what_no_trial_beats():
    trials = [
        trial(0, 0.9, 100.0),
        trial(1, 0.8, 50.0),
        trial(2, 0.8, 60.0),  # beaten by 1
        trial(3, 0.7, 100.0),  # beaten by 0 and 1
        trial(4, 0.9, 100.0),  # as good as 0
        trial(5, 0.95, 10.0, state=State.FAILED),
        trial(6, 0.95, None),
        trial(7, 0.1, 9.0),
    ]
    assert [t.number for t in pareto(trials, (ACCURACY, PARAMS))] == [0, 4, 1, 7]
    assert pareto([], (ACCURACY, PARAMS)) == []


# What a model costs ---------------------------------------------------------------------------------------


def test_what_a_model_costs():
    import keras

    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4), keras.layers.BatchNormalization()])
    x = np.ones((7, 3), "float32")
    found = measured(model, x, ("n_params", "model_bytes", "seconds_per_epoch", "predict_ms"), [9.0, 2.0, 1.0, 3.0])
    assert found["n_params"] == 3 * 4 + 4 + 4 * 4
    assert found["model_bytes"] == 4 * found["n_params"]
    assert found["seconds_per_epoch"] == 2.0, "the first epoch compiles"
    assert predict_ms(model, x, 1) > 0 and found["predict_ms"] > 0
    assert measured(model, x, (), []) == {}


def test_predictions_of_nested_inputs_and_of_datasets_are_timed():
    import keras
    import tensorflow as tf

    a, b = keras.Input((3,), name="a"), keras.Input((2,), name="b")
    model = keras.Model({"a": a, "b": b}, keras.layers.Dense(1)(keras.layers.Concatenate()([a, b])))
    x = {"a": np.ones((5, 3), "float32"), "b": np.ones((5, 2), "float32")}
    assert predict_ms(model, x, 10) > 0
    assert predict_ms(model, tf.data.Dataset.from_tensor_slices((x, np.ones(5))).batch(2), 10) > 0


@pytest.mark.medium
def test_predictions_of_what_numpy_does_not_hold_are_timed():
    import keras
    import pandas
    import scipy.sparse

    x = np.ones((5, 3), "float32")
    table = pandas.DataFrame({"a": x[:, 0], "b": x[:, 0] > 0, "c": [1, 2, 3, 4, 5]})
    batches = ((x, x[:, 0]) for _ in range(9))
    model = keras.Sequential([keras.layers.Dense(1)])
    for given in (scipy.sparse.csr_matrix(x), table, batches):
        assert predict_ms(model, given, 10) > 0
    fixed = keras.Sequential([keras.Input(batch_shape=(2, 3)), keras.layers.Dense(1)])
    assert measured(fixed, x, ("predict_ms",), [])["predict_ms"] > 0


# A search -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A real search, cut after two trials and gone on with."""
    logs = tmp_path_factory.mktemp("logs")
    arguments = {
        "engine": "optuna",
        "objective": ["n_params", "val_accuracy", "predict_ms"],
        "options": {"n_startup_trials": 2},
        "fix": {"batch_size": 128, "n_hidden": 1, "normalize": False},
        "epochs": 2,
        "seed": 3,
        "keep": 1,
        "logs": logs,
    }
    tuning.search("digits", **arguments, trials=2)
    with pytest.raises(StudyError, match="objectives are n_params:min, val_accuracy:max, in the study n_params"):
        tuning.search("digits", **{**arguments, "objective": ["n_params", "val_accuracy"]}, trials=2)
    return tuning.search("digits", **arguments, trials=4)


@pytest.mark.medium
def test_every_trial_has_all_scores(study):
    assert study.objective == ACCURACY and len(study.definition.objectives) == 3
    for one in study.trials:
        n_params, accuracy, milliseconds = one.scores
        assert accuracy == one.score == max(one.curve.values("val_accuracy"))
        assert n_params == one.resources["n_params"] > 0 and milliseconds == one.resources["predict_ms"] > 0
    assert len(study.pareto) > 1
    for one in study.pareto:  # whose weights are kept, however many they are
        assert study.model(one).count_params() == one.scores[0]
    assert study.pareto == pareto(study.trials, study.definition.objectives) and study.best in study.pareto
    assert study.definition.options["pruner"] == "none"


@pytest.mark.medium
def test_json_and_tables_name_the_pareto_set(study, tune_here):
    shown = tune_here("show", study.name, "--logs", study.path.parent)
    numbers = [t.number for t in study.pareto]
    assert (
        f"Pareto set   trials {', '.join(map(str, numbers))}: no other is better in n_params (min) and" in shown.stdout
    )
    assert "n_params:min and val_accuracy:max and predict_ms:min" in shown.stdout
    record = json.loads(tune_here("show", study.name, "--logs", study.path.parent, "--json").stdout)
    assert record["pareto"] == numbers and record["objectives"][0] == {"name": "n_params", "direction": "min"}
    assert record["trials"][1]["scores"] == list(study.trials[1].scores)
    assert record["objective"]["name"] == "val_accuracy"


@pytest.mark.medium
def test_the_report_names_the_pareto_set_and_says_how_to_repeat_the_search(study):
    page = page_of(study)
    assert all(f'"trial":{trial.number}' in page.replace(" ", "") for trial in study.pareto)
    for objective in study.definition.objectives:
        assert f"--objective {objective}" in page and f"--objective {objective}" in study.command()


@pytest.mark.medium
def test_optuna_sees_the_same_pareto_set(study):
    theirs = optuna.load_study(study_name=study.name, storage=f"sqlite:///{study.path}/trials.db")
    assert [d.name for d in theirs.directions] == ["MINIMIZE", "MAXIMIZE", "MINIMIZE"]
    assert {t.number for t in theirs.best_trials} == {t.number for t in study.pareto}
    assert theirs.trials[2].values == list(study.trials[2].scores)
    assert optuna.visualization.plot_pareto_front(theirs).data


@pytest.mark.medium
def test_hparams_show_the_pareto_set_and_every_objective(study):
    root = study.path / "tensorboard"
    (record,) = hparams.experiments_in(root / "_experiment")
    tags = [info.name.tag for info in record.metric_infos]
    assert tags[:3] == ["objective", "objective/n_params", "objective/predict_ms"]
    members = {t.number for t in study.pareto}
    for one in study.trials:
        (start,) = hparams.session_starts_in(root / f"trial_{one.number:04d}")
        assert start.hparams["pareto"].bool_value == (one.number in members)


def test_a_trial_leaves_the_pareto_set_in_hparams_when_it_is_beaten(tmp_path):
    several = (Objective("val_accuracy", "max"), PARAMS)
    search = MadeUpSearch(TensorBoardObserver(tmp_path), definition(engine="optuna", several=several))

    def member(number):
        (start,) = hparams.session_starts_in(tmp_path / f"trial_{number:04d}")
        return start.hparams["pareto"].bool_value

    ended = {}
    for number, scores in enumerate([(0.5, 100.0), (0.4, 50.0), (0.6, 40.0)]):
        search.begin(number)
        search.epoch(number)
        ended[number] = replace(search.trials[number], state=State.COMPLETED, scores=scores, ended_at=1.0)
        search.observer.trial_ended(ended[number])
        if number == 1:
            assert member(0) and member(1)
    assert [member(number) for number in range(3)] == [False, False, True]
    before = sorted(path.name for path in tmp_path.rglob("*"))
    TensorBoardObserver(tmp_path).search_started(search.definition, list(ended.values()))
    assert sorted(path.name for path in tmp_path.rglob("*")) == before, "nothing is written anew"


@pytest.mark.medium
def test_scores_of_folds_are_means(tmp_path):
    given = {"fix": {"n_hidden": 1, "batch_size": 128, "normalize": False}, "epochs": 1, "logs": tmp_path, "seed": 1}
    study = tuning.search(
        "digits", engine="optuna", objective=["val_loss", "val_accuracy", "n_params"], cv=2, trials=1, **given
    )
    (one,) = study.trials
    assert one.state is State.COMPLETED and len(one.trainings) == 2
    accuracies = [part.curve.epochs[part.best_epoch]["val_accuracy"] for part in one.trainings]
    assert one.scores == (one.score, pytest.approx(sum(accuracies) / 2), one.resources["n_params"])


# What is refused ------------------------------------------------------------------------------------------


@pytest.mark.medium
@pytest.mark.parametrize("engine", ["random", "hyperband", "bayesian"])
def test_engines_that_cannot_refuse_before_anything_runs(engine, tmp_path):
    with pytest.raises(OptionError, match="Use engine optuna, or one objective"):
        tuning.search("digits", engine=engine, objective=["val_accuracy", "n_params"], logs=tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.medium
def test_what_nobody_reports_is_refused(tmp_path):
    with pytest.raises(ObjectiveError, match="Did you mean 'n_params'") as error:
        tuning.search("digits", engine="optuna", objective=["val_accuracy", "n_param:min"], logs=tmp_path)
    assert "training reports (accuracy, loss, val_accuracy, val_loss)" in str(error.value)
    with pytest.raises(ObjectiveError, match="where models are not Keras's"):
        tuning.search(CURVE, engine="optuna", objective=["val_loss", "n_params"], logs=tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_trial_that_diverges_is_worse_in_every_objective():
    options = read_options("optuna", {"sampler": "random"})
    space = (Float("x", 0.0, low=0.0, high=1.0),)
    made = Definition("s", "s", None, space, ACCURACY, "optuna", options, 0, 2, several=(PARAMS, ACCURACY))
    engine = make_engine(settle(made, {}), 9)
    for number, (value, scores) in enumerate([(0.5, (10, 0.5)), (0.75, (30, 0.75)), (math.nan, (1, None))]):
        run = replace(engine.ask(), asked=2 * number, ended=2 * number + 1)
        state = State.COMPLETED if scores[1] else State.FAILED
        curve = Curve(({"val_accuracy": value},))
        engine.tell(Trial(number, run.values, state, (Training(curve, scores[1], 0),), runs=(run,), scores=scores))
    assert engine._study().trials[2].values == [50.0, 0.25]


@pytest.mark.medium
@pytest.mark.parametrize("sampler", few(["tpe", "nsga2", "nsga3", "qmc", "random"]))
def test_samplers_for_several_objectives_learn_and_resume(sampler, tmp_path):
    class Two(tuning.SearchSpace):
        name, objective = "two", "val_loss:min"

        def build(self, hp):
            return hp.Float("x", 0, 1), hp.Choice("kind", ["a", "b"])

        def fit(self, hp, model, data, **_):
            x, kind = model
            return {"val_loss": x**2 + (kind == "b"), "other": (x - 1) ** 2 if x < 0.9 else float("nan")}

        def load_data(self):
            return tuning.Data([0])

    options = {"sampler": sampler, "n_startup_trials": 4, "population_size": 4}
    given = {"engine": "optuna", "objective": ["val_loss:min", "other:min"], "logs": tmp_path, "seed": 1}
    straight = tuning.search(Two(), **given, options=options, trials=16, study="straight")
    tuning.search(Two(), **given, options=options, trials=7, study="parts")
    parts = tuning.search(Two(), **given, trials=16, study="parts")
    assert [t.values for t in parts.trials] == [t.values for t in straight.trials]
    assert all(
        t.state is State.FAILED and t.error == "there is no value of other"
        for t in parts.trials
        if t.values["x"] >= 0.9
    )
    assert parts.pareto
