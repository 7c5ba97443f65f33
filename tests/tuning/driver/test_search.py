"""The search as a whole, on a space of pure Python: order of events, failures, budgets, resuming."""

import math
import socket

import pytest

import tuning
from tests.conftest import SPACES
from tuning.driver.observer import Observer
from tuning.errors import ObjectiveError, OptionError, SearchFailedError, SpaceError, StudyError
from tuning.records.trial import State
from tuning.storage.store import Store

CURVE = str(SPACES / "curve.py")


@pytest.fixture
def search(tmp_path):
    def call(space=CURVE, **arguments):
        return tuning.search(
            space, **{"engine": "random", "trials": 6, "epochs": 3, "seed": 0, "logs": tmp_path, **arguments}
        )

    return call


def stored(study):
    return [(t.number, t.state, t.score, dict(t.values), t.curve) for t in study.trials]


class Listener(Observer):
    def __init__(self):
        self.heard = []

    def run_started(self, trial):
        self.heard.append(("run_started", trial.number))

    def epoch_ended(self, trial):
        self.heard.append(("epoch_ended", trial.number, trial.epochs))

    def run_ended(self, trial):
        self.heard.append(("run_ended", trial.number))

    def trial_ended(self, trial):
        self.heard.append(("trial_ended", trial.number, trial.state))


@pytest.mark.medium
def test_every_trial_has_values_curve_score_and_times(search):
    study = search()
    assert [t.number for t in study.trials] == list(range(6))
    for trial in study.trials:
        assert trial.state is State.COMPLETED and trial.epochs == 3
        assert set(trial.values) == {"a", "b", "k", "c"}, "the hyperparameter asked for in fit is searched from trial 0"
        assert trial.score == min(trial.curve.values("val_loss")) and trial.best_epoch == 2
        assert trial.seconds > 0 and trial.ended_at >= trial.started_at
    assert len({t.values["c"] for t in study.trials}) == 6
    assert study.best.score == min(t.score for t in study.trials)
    assert study.best_values(1) == [study.best.values] and study.top(2)[0] == study.best


@pytest.mark.medium
def test_dataframe_and_json(search):
    study = search()
    frame = study.dataframe()
    assert len(frame) == 6 and {"number", "state", "score", "values.a"} <= set(frame.columns)
    record = study.to_json()
    assert record["best"] == study.best.score and record["objective"] == {"name": "val_loss", "direction": "min"}
    assert {"number", "state", "score", "best_epoch", "epochs", "values", "seconds", "error"} <= set(
        record["trials"][0]
    )


@pytest.mark.medium
def test_a_trial_says_where_it_was_trained(search):
    study = search(trials=1)
    assert study.trials[0].trainings[0].worker == f"{socket.gethostname()}:0"
    assert study.to_json()["trials"][0]["workers"] == [f"{socket.gethostname()}:0"]
    assert study.trials[0].hosts == (socket.gethostname(),)


@pytest.mark.medium
def test_observers_are_told_in_order(search):
    listener = Listener()
    search(trials=1, observers=[listener])
    assert [event[0] for event in listener.heard] == ["run_started"] + 3 * ["epoch_ended"] + [
        "run_ended",
        "trial_ended",
    ]


@pytest.mark.medium
def test_a_trial_that_raises_is_failed_and_the_search_goes_on(search, monkeypatch):
    monkeypatch.setenv("CURVE_FAILS", "z")
    study = search(trials=12)
    failed = [t for t in study.trials if t.state is State.FAILED]
    assert failed and len(study.trials) == 12
    assert all(t.values["k"] == "z" and t.error == "ValueError: k=z cannot be trained" for t in failed)
    assert all("raise ValueError" in t.traceback for t in failed)
    assert study.best.state is State.COMPLETED


@pytest.mark.medium
def test_a_trial_that_diverges_is_failed_and_never_best(search, monkeypatch):
    monkeypatch.setenv("CURVE_DIVERGES", "y")
    study = search(trials=12)
    failed = [t for t in study.trials if t.values["k"] == "y"]
    assert failed and all(t.state is State.FAILED and "val_loss is nan in epoch 1" in t.error for t in failed)
    assert all(t.epochs == 2 and math.isnan(t.curve.values("val_loss")[1]) for t in failed), "stopped where it diverged"
    assert study.best.values["k"] != "y"


@pytest.mark.medium
def test_when_every_trial_fails_the_most_frequent_reasons_are_shown(search, monkeypatch):
    monkeypatch.setenv("CURVE_DIVERGES", "x,y,z")
    with pytest.raises(SearchFailedError, match=r"all 3 trials failed: 3 x val_loss is nan"):
        search(trials=3)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["random", "hyperband", "bayesian"])
def test_trials_is_the_total_and_a_larger_one_continues(search, engine):
    options = {"bayesian": {"num_initial_points": 4}}.get(engine, {})
    straight = search(engine=engine, trials=6, options=options, study="straight", epochs=9)
    search(engine=engine, trials=3, options=options, study="parts", epochs=9)
    parts = search(engine=engine, trials=6, options=options, study="parts", epochs=9)
    assert len(parts.trials) == 6
    assert [t.values for t in parts.trials] == [t.values for t in straight.trials]
    assert [t.score for t in parts.trials] == [t.score for t in straight.trials]
    again = search(engine=engine, trials=6, options=options, study="parts", epochs=9)
    assert stored(again) == stored(parts)


@pytest.mark.medium
def test_hyperband_continues_trials_as_one(search):
    study = search(engine="hyperband", trials=None, epochs=9)
    longest = [t for t in study.trials if len(t.runs) == 3]
    assert longest and all([(r.start, r.stop) for r in t.runs] == [(0, 1), (1, 3), (3, 9)] for t in longest)
    assert all(t.state is State.COMPLETED for t in study.trials)
    assert all(t.epochs == t.run.stop for t in study.trials)


@pytest.mark.medium
def test_resume_takes_what_is_not_given_from_the_study(search):
    search(seed=11, epochs=4, trials=2)
    study = search(seed=None, epochs=None, trials=3)
    assert study.definition.seed == 11 and study.trials[2].epochs == 4


@pytest.mark.medium
def test_a_seed_is_drawn_and_stored(search):
    assert search(seed=None, trials=1).definition.seed != search(seed=None, trials=1, study="other").definition.seed


@pytest.mark.medium
@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"seed": 5}, "seed is 5, in the study 0"),
        ({"epochs": 7}, "epochs is 7, in the study 3"),
        ({"engine": "hyperband", "study": "curve-random"}, "engine is hyperband, in the study random"),
        ({"objective": "val_loss:max"}, "objective is val_loss:max"),
        ({"fix": {"a": 0.5}}, "hyperparameter 'a'"),
        ({"x": [1]}, None),
    ],
)
def test_a_different_search_under_the_same_name_is_refused(search, change, named):
    before = search(trials=2)
    if named is None:
        import numpy as np

        change, named = {"x": np.arange(4.0)}, "data 'x'"
    with pytest.raises(StudyError, match="exists and is another search") as error:
        search(**change)
    assert named in str(error.value)
    assert stored(tuning.load(before.path)) == stored(before)


@pytest.mark.medium
def test_overwrite_starts_afresh_and_leaves_other_files_alone(search, tmp_path):
    first = search(trials=3)
    (first.path / "notes.txt").write_text("mine")
    second = search(trials=1, seed=9, overwrite=True)
    assert len(second.trials) == 1 and second.definition.seed == 9
    assert (second.path / "notes.txt").read_text() == "mine"


def test_bad_arguments_are_named_all_at_once_and_nothing_is_written(search, tmp_path):
    with pytest.raises(OptionError) as error:
        search(engine="hyperbad", trials=0, epochs=-1, seed=-3, study="a/b")
    for part in ("Did you mean 'hyperband'?", "`trials`", "`epochs`", "`seed`", "`study`"):
        assert part in str(error.value)
    with pytest.raises(OptionError, match="`factor` must be a whole number >= 2, but got 1"):
        search(engine="hyperband", options={"factor": 1})
    with pytest.raises(OptionError, match="Did you mean 'factor'"):
        search(engine="hyperband", options={"facter": 3})
    assert not list(tmp_path.iterdir())


def test_preflight_refuses_before_anything_is_written(search, tmp_path):
    with pytest.raises(ObjectiveError, match="training reports val_loss. Did you mean 'val_loss'"):
        search(objective="val_los:min")
    with pytest.raises(ObjectiveError, match="but got 'score'; training reports val_loss"):
        search(objective="score")
    with pytest.raises(ObjectiveError, match="must end in ':min' or ':max'"):
        search(objective="val_loss:best")
    with pytest.raises(SpaceError, match="but got 'aa'"):
        search(fix={"aa": 1})
    with pytest.raises(SpaceError, match=r"`b` must be 1 \.\. 9, but got 12"):
        search(fix={"b": 12})
    assert not list(tmp_path.iterdir())


@pytest.mark.medium
def test_a_bad_search_does_not_delete_what_it_should_overwrite(search):
    before = search(trials=2)
    with pytest.raises(ObjectiveError):
        search(objective="val_los:min", overwrite=True)
    assert stored(tuning.load(before.path)) == stored(before)


@pytest.mark.medium
def test_fixed_hyperparameters_are_recorded_and_not_searched(search):
    study = search(fix={"a": 0.25, "k": "y"})
    assert {(t.values["a"], t.values["k"]) for t in study.trials} == {(0.25, "y")}
    assert len({t.values["b"] for t in study.trials}) > 1


@pytest.mark.medium
def test_an_exhausted_space_says_so(search, tmp_path):
    class Small(tuning.SearchSpace):
        name, objective = "small", "score:max"

        def build(self, hp):
            return hp.Choice("n", [1, 2, 3])

        def fit(self, hp, model, *arguments, **options):
            return {"score": float(model)}

        def load_data(self):
            return tuning.Data([0])

    listener = Listener()
    listener.search_ended = lambda trials, reason: listener.heard.append(reason)
    study = search(Small(), trials=10, observers=[listener])
    assert sorted(t.values["n"] for t in study.trials) == [1, 2, 3]
    assert listener.heard[-1] == "every configuration of the search space has been tried"


@pytest.mark.medium
def test_optuna_reads_the_study(search):
    import optuna

    study = search(engine="hyperband", trials=None, epochs=9)
    theirs = optuna.load_study(study_name=study.name, storage=f"sqlite:///{study.path}/trials.db")
    assert theirs.best_value == study.best.score and theirs.best_trial.number == study.best.number
    assert {"a", "b", "c", "k"} == set(theirs.best_params)
    assert len(theirs.trials) == len(study.trials)
    assert theirs.best_trial.intermediate_values == dict(enumerate(study.best.curve.values("val_loss")))
    assert optuna.importance.get_param_importances(theirs)


@pytest.mark.medium
@pytest.mark.parametrize("method", ["begin", "save", "report", "close_trial"])
def test_killed_at_any_write_it_goes_on_as_if_nothing_had_happened(search, monkeypatch, method):
    straight = search(engine="hyperband", trials=None, epochs=9, study="straight")

    class Killed(BaseException):
        pass

    genuine, calls = getattr(Store, method), [0]
    for moment in (2, 5, 3):

        def dying(self, *arguments, moment=moment):
            calls[0] += 1
            if calls[0] == moment:
                raise Killed
            return genuine(self, *arguments)

        calls[0] = 0
        with monkeypatch.context() as patch:
            patch.setattr(Store, method, dying)
            with pytest.raises(Killed):
                search(engine="hyperband", trials=None, epochs=9, study="killed")
    resumed = search(engine="hyperband", trials=None, epochs=9, study="killed")
    assert stored(resumed) == stored(straight)
    assert [[(r.start, r.stop, r.note) for r in t.runs] for t in resumed.trials] == [
        [(r.start, r.stop, r.note) for r in t.runs] for t in straight.trials
    ]


def test_loading_what_is_no_study_is_an_error(tmp_path):
    with pytest.raises(StudyError, match=r"holds no trials\.db"):
        tuning.load(tmp_path)
