"""Tuners of models: what KerasTuner documents holds with our driver behind `search`, and it is ours that searches.

Most models run eagerly, which takes no time to compile; the last line of each search checks that ours has searched.
"""

import keras
import numpy as np
import pytest

from tests.tuning.keras_tuner.conftest import is_ours, studies
from tests.tuning.keras_tuner.searches import X, Y, build, data
from tuning.records.trial import State

pytestmark = pytest.mark.slow


def with_gate(hp):
    deep = hp.Boolean("deep")
    with hp.conditional_scope("deep", [True]):
        if deep:
            hp.Int("units", 2, 4)
    return build(hp)


# Mistakes, found when a tuner is made or ended by a fatal error ------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"oracle": "none", "hypermodel": build}, ValueError, "instance of `Oracle`"),
        ({"hypermodel": "build"}, ValueError, "`hypermodel` argument should be either"),
        ({"hypermodel": None}, ValueError, "hypermodel=None"),
        ({"hypermodel": build, "unheard_of": 1}, ValueError, "Unrecognized arguments"),
    ],
)
def test_mistakes_in_a_tuners_arguments(tuners, arguments, error, text):
    oracle = tuners.oracles.RandomSearchOracle(objective="val_loss", max_trials=2)
    with pytest.raises(error, match=text):
        tuners.Tuner(**{"oracle": oracle, **arguments})


def test_an_objective_that_has_no_direction_is_refused(made):
    with pytest.raises(ValueError, match="Could not infer optimization direction"):
        made(objective="heard_of_nowhere")


def test_a_logger_is_deprecated_and_ignored(made):
    with pytest.warns(DeprecationWarning, match="logger"):
        tuner = made(logger=object())
    tuner.search(**data())
    is_ours(tuner)


def test_attributes_of_a_tuner(made, tuners):
    tuner = made(max_trials=3, executions_per_trial=2, max_model_size=99, overwrite=True)
    assert (tuner.oracle.max_trials, tuner.executions_per_trial, tuner.max_model_size) == (3, 2, 99)
    assert tuner.oracle.objective == tuners.Objective("val_loss", "min") and tuner.remaining_trials == 3
    assert tuner.hypermodel is not None and tuner.project_dir.endswith("p") and tuner.tuner_id == "tuner0"


def test_a_function_that_builds_no_model_ends_the_search(made, tuners):
    with pytest.raises(tuners.errors.FatalTypeError, match="valid Keras Model instance"):
        made(lambda hp: hp.Int("a", 1, 3)).search(**data())


def test_a_callback_that_cannot_be_copied_ends_the_search(made, tuners):
    class Stubborn(keras.callbacks.Callback):
        def __deepcopy__(self, memo):
            raise TypeError

    with pytest.raises(tuners.errors.FatalValueError, match="deep-copyable"):
        made().search(**data(callbacks=[Stubborn()]))


@pytest.mark.parametrize(
    ("objective", "returned", "error", "text"),
    [
        ("val_loss", "text", "FatalTypeError", "to be one of float, dict"),
        ("val_loss", {"other": 1.0}, "FatalValueError", "the specified objective"),
        ("val_loss", None, "FatalTypeError", "Did you forget to return the metrics"),
        (None, {"other": 1.0}, "FatalTypeError", "a single float"),
    ],
)
def test_what_fit_may_not_return_ends_the_search(made, tuners, objective, returned, error, text):
    class Returning(tuners.HyperModel):
        def build(self, hp):
            return build(hp)

        def fit(self, hp, model, *args, **kwargs):
            return returned

    with pytest.raises(getattr(tuners.errors, error), match=text):
        made(Returning(), objective=objective).search(**data())


def test_models_that_are_too_large_fail_and_too_many_end_the_search(made):
    tuner = made(max_trials=5, max_model_size=2)
    with pytest.raises(RuntimeError, match="consecutive failures exceeded the limit of 3"):
        tuner.search(**data())
    assert "Oversized model: 3" in next(iter(tuner.oracle.trials.values())).message


def test_what_is_odd_in_the_data_is_warned_of_and_trained_on(made):
    odd = X.copy()
    odd[3, 1] = np.nan
    tuner = made(objective="loss", max_consecutive_failed_trials=9)
    with pytest.warns(UserWarning, match="x of the training data must be finite, but 1 of 40 values are NaN"):
        tuner.search(odd, Y, epochs=1, verbose=0)
    assert [trial.status for trial in tuner.oracle.trials.values()] == ["FAILED"] * 2  # for a loss that is no number
    assert [trial.state for trial in studies("out")["p"][0].trials] == [State.FAILED] * 2


# Results ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("returned", "objective"), [(0.25, None), ({"f1": 0.25, "cost": 3.0}, ("f1", "max"))])
def test_what_fit_returns_is_the_score_whatever_it_has_trained(made, tuners, returned, objective):
    class Returning(tuners.HyperModel):
        def build(self, hp):
            return build(hp)

        def fit(self, hp, model, *args, **kwargs):
            model.fit(*args, **kwargs)
            return returned

    tuner = made(Returning(), objective=None if objective is None else tuners.Objective(*objective))
    tuner.search(**data())
    assert {trial.score for trial in tuner.oracle.trials.values()} == {0.25}
    is_ours(tuner)


def test_run_trial_may_return_a_history(tuners):
    class Own(tuners.Tuner):
        def run_trial(self, trial, *args, **kwargs):
            model = self.hypermodel.build(trial.hyperparameters)
            return model.fit(*args, **kwargs)

    oracle = tuners.oracles.RandomSearchOracle(objective="val_loss", max_trials=2)
    tuner = Own(oracle, build, directory="out", project_name="p")
    tuner.search(**data(epochs=2))
    for trial in oracle.trials.values():
        assert trial.score == trial.metrics.get_last_value("val_loss") and trial.best_step in (0, 1)
    is_ours(tuner)


def test_executions_are_averaged_and_each_has_its_own_callbacks(made):
    begun = []

    class Counting(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            begun.append(self)

    tuner = made(executions_per_trial=3)
    tuner.search(**data(callbacks=[Counting()]))
    assert len({id(callback) for callback in begun}) == 6
    is_ours(tuner)


def test_the_best_models_have_the_weights_of_their_best_epoch(made):
    tuner = made(max_trials=3)
    tuner.search(**data(epochs=3))
    trials = tuner.oracle.get_best_trials(3)
    for trial, model in zip(trials, tuner.get_best_models(3), strict=True):
        assert model.evaluate(X, Y, verbose=0)[0] == pytest.approx(trial.score, rel=1e-4)
    values = [hp.values for hp in tuner.get_best_hyperparameters(3)]
    assert values == [trial.hyperparameters.values for trial in trials]
    is_ours(tuner)


def test_a_better_learning_rate_is_found(made):
    def rated(hp):
        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, "sigmoid", kernel_initializer="zeros")])
        model.compile(keras.optimizers.SGD(hp.Choice("rate", [1e-6, 1.0])), "binary_crossentropy", run_eagerly=True)
        return model

    tuner = made(rated, "GridSearch", objective="loss")
    tuner.search(**data(epochs=4))
    assert tuner.get_best_hyperparameters()[0]["rate"] == 1.0
    is_ours(tuner)


# Spaces -------------------------------------------------------------------------------------------------


def values_of(tuner):
    return [trial.hyperparameters.values for trial in tuner.oracle.trials.values()]


def test_gates_are_found_before_the_search_and_values_apply(made):
    tuner = made(with_gate, max_trials=4)
    assert {h.name for h in tuner.oracle.get_space().space} == {"deep", "units", "rate"}
    tuner.search(**data())
    for trial in tuner.oracle.trials.values():
        assert ("units" in trial.hyperparameters.values) == trial.hyperparameters.values["deep"]
    is_ours(tuner)


def test_a_parent_given_by_its_name(made):
    def parented(hp):
        hp.Choice("kind", ["a", "b"])
        hp.Int("of_a", 1, 5, parent_name="kind", parent_values=["a"])
        hp.Int("of_b", 1, 5, parent_name="kind", parent_values=["b"])
        return build(hp)

    tuner = made(parented, max_trials=4)
    assert {"kind", "of_a", "of_b"} <= {h.name for h in tuner.oracle.get_space().space}
    tuner.search(**data())
    assert all((f"of_{v['kind']}" in v) and len(v) == 3 for v in values_of(tuner))
    is_ours(tuner)


@pytest.mark.parametrize("given", ["fixed", "narrower", "defaults"])
def test_a_space_of_the_users_own(made, tuners, given):
    hp = tuners.HyperParameters()
    if given == "fixed":
        hp.Fixed("rate", 0.5)
    elif given == "narrower":
        hp.Float("rate", 0.01, 0.02)
    else:
        hp.Int("other", 1, 9)
    tuner = made(hyperparameters=hp, tune_new_entries=given != "defaults", max_trials=3)
    tuner.search(**data())
    rates = [values.get("rate", 1e-2) for values in values_of(tuner)]
    expected = {"fixed": (0.5, 0.5), "narrower": (0.01, 0.02), "defaults": (1e-2, 1e-2)}[given]
    assert expected[0] <= min(rates) <= max(rates) <= expected[1]
    is_ours(tuner)


def test_new_entries_that_are_not_allowed_are_refused_when_the_tuner_is_made(made, tuners):
    hp = tuners.HyperParameters()
    hp.Int("other", 1, 9)
    with pytest.raises(RuntimeError, match="`allow_new_entries` is `False`"):
        made(hyperparameters=hp, allow_new_entries=False)


def test_compile_overrides_count(made):
    tuner = made(
        optimizer=keras.optimizers.Adam(0.25), loss="mse", metrics=[keras.metrics.MeanAbsoluteError(name="mae")],
        objective="val_mae",
    )  # fmt: skip
    tuner.search(**data())
    model = tuner.get_best_models()[0]
    assert isinstance(model.optimizer, keras.optimizers.Adam) and model.loss == "mse"
    assert float(model.optimizer.learning_rate) == 0.25
    is_ours(tuner)


# Reload, overwrite, tuners ------------------------------------------------------------------------------


def test_a_project_is_reloaded_and_gone_on_with(made):
    tuner = made()
    tuner.search(**data())
    scores = {i: trial.score for i, trial in tuner.oracle.trials.items()}
    again = made(max_trials=4)
    again.reload()
    assert {i: trial.score for i, trial in again.oracle.trials.items()} == scores
    again.search(**data())
    assert (
        len(again.oracle.trials) == 4 and scores.items() <= {i: t.score for i, t in again.oracle.trials.items()}.items()
    )
    is_ours(again)


def test_overwrite_begins_anew(made):
    made().search(**data())
    tuner = made(overwrite=True, max_trials=1)
    assert not tuner.oracle.trials
    tuner.search(**data())
    is_ours(tuner)


@pytest.mark.parametrize("kind", ["RandomSearch", "BayesianOptimization", "GridSearch"])
def test_an_exhausted_space_ends_the_search(made, kind):
    def small(hp):
        hp.Choice("a", [1, 2])
        hp.Fixed("rate", 0.1)
        return build(hp)

    tuner = made(small, kind, max_trials=9)
    tuner.search(**data())
    assert {values["a"] for values in values_of(tuner)} == {1, 2} and len(tuner.oracle.trials) < 9
    is_ours(tuner)


def test_a_grid_walks_through_all_of_a_space_also_what_fit_asks_for(made, tuners):
    class Fitting(tuners.HyperModel):
        def build(self, hp):
            hp.Int("i", 1, 2)
            hp.Fixed("rate", 0.1)
            return build(hp)

        def fit(self, hp, model, *args, **kwargs):
            return model.fit(
                *args, batch_size=hp.Choice("batch_size", [8, 16]), shuffle=hp.Boolean("shuffle"), **kwargs
            )

    tuner = made(Fitting(), "GridSearch")
    tuner.search(**data())
    assert len({tuple(sorted(v.items())) for v in values_of(tuner)}) == len(tuner.oracle.trials) == 8
    is_ours(tuner)


def test_bayesian_optimization_takes_alpha_and_beta(made):
    tuner = made(kind="BayesianOptimization", alpha=1e-3, beta=2.0, num_initial_points=2, max_trials=4)
    tuner.search(**data())
    assert len({values["rate"] for values in values_of(tuner)}) == 4
    is_ours(tuner)


def test_hyperband_is_saved_and_goes_on(made):
    options = {"kind": "Hyperband", "max_epochs": 2, "factor": 2}
    tuner = made(**options)
    tuner.search(**data())
    scores = {i: trial.score for i, trial in tuner.oracle.trials.items()}
    assert {v["tuner/epochs"] for v in values_of(tuner)} == {1, 2}
    again = made(**options)
    again.search(**data())
    assert scores == {i: t.score for i, t in again.oracle.trials.items()}
    is_ours(again)
