"""Trials in MLflow, in a local file store: as they are in the study, also after an interruption."""

import sys

import pytest

import tuning
from tests.conftest import SPACES
from tuning.errors import OptionError

CURVE = str(SPACES / "curve.py")


@pytest.fixture
def given(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    observer = tuning.observers.MLflow((tmp_path / "mlruns").as_uri(), "searches")
    return {"engine": "random", "epochs": 3, "seed": 0, "logs": tmp_path, "study": "s", "verbose": 0,
            "observers": [observer]}  # fmt: skip


def runs_of(tmp_path):
    """Return the run of the study, and those of its trials by number."""
    from mlflow import MlflowClient

    client = MlflowClient((tmp_path / "mlruns").as_uri())
    found = client.search_runs([client.get_experiment_by_name("searches").experiment_id])
    (parent,) = [run for run in found if "mlflow.parentRunId" not in run.data.tags]
    below = [run for run in found if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
    assert len(found) == 1 + len(below)
    return client, parent, {int(run.data.tags["trial"]): run for run in below}


def is_as_in_the_study(study, tmp_path):
    client, parent, runs = runs_of(tmp_path)
    assert sorted(runs) == [trial.number for trial in study.trials]
    for trial in study.trials:
        run = runs[trial.number]
        assert run.data.params == {name: str(value) for name, value in trial.values.items()}
        assert run.data.tags["trial_state"] == trial.state.value.lower()
        assert run.info.status == ("FAILED" if trial.state is tuning.State.FAILED else "FINISHED")
        history = client.get_metric_history(run.info.run_id, "val_loss")
        assert [(m.step, m.value) for m in history] == list(enumerate(trial.curve.values("val_loss")))
        assert run.data.metrics.get("objective") == trial.score
    assert parent.info.status == "FINISHED" and parent.data.params["engine"] == "random"
    assert parent.data.tags["best_trial"] == str(study.best.number)
    assert parent.data.metrics["objective"] == study.best.score


@pytest.mark.medium
def test_trials_stand_there_as_in_the_study_and_a_later_search_adds_its_own(given, tmp_path, monkeypatch):
    monkeypatch.setenv("CURVE_FAILS", "y")
    study = tuning.search(CURVE, trials=4, **given)
    assert {trial.state.value for trial in study.trials} == {"COMPLETED", "FAILED"}
    is_as_in_the_study(study, tmp_path)
    more = tuning.search(CURVE, trials=6, **given)
    is_as_in_the_study(more, tmp_path)


@pytest.mark.medium
def test_what_was_searched_without_it_and_what_was_interrupted_is_made_up_for(given, tmp_path):
    tuning.search(CURVE, trials=2, **{**given, "observers": []})
    stop = Stop(trial=3, epoch=1)
    with pytest.raises(KeyboardInterrupt):
        tuning.search(CURVE, trials=5, **{**given, "observers": [*given["observers"], stop]})
    _, parent, runs = runs_of(tmp_path)
    assert parent.info.status == "KILLED" and runs[3].info.status == "RUNNING"
    is_as_in_the_study(tuning.search(CURVE, trials=5, **given), tmp_path)


class Stop(tuning.Observer):
    """Presses Ctrl-C after an epoch of a trial."""

    def __init__(self, trial, epoch):
        self.at = trial, epoch

    def epoch_ended(self, trial):
        if (trial.number, trial.epochs) == self.at:
            import signal

            signal.raise_signal(signal.SIGINT)


def test_without_the_package_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(OptionError, match=r"must have the package mlflow .* pip install 'keras-tuning\[mlflow\]'"):
        tuning.observers.MLflow()


@pytest.mark.medium
def test_a_server_that_is_not_there_ends_no_search(given, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    away = tuning.observers.MLflow("http://127.0.0.1:9")
    with pytest.warns(UserWarning, match=r"MLflow\.search_started raised"):
        study = tuning.search(CURVE, trials=2, **{**given, "observers": [away]})
    assert len(study.trials) == 2
