"""Studies of every engine in Optuna's own tools: they are ordinary Optuna studies."""

import importlib.util
import json
import subprocess
import sys
import time
import urllib.request

import optuna
import pytest

import tuning
from tests.conftest import SPACES

CURVE = str(SPACES / "curve.py")
ENGINES = {
    "random": {"trials": 8},
    "hyperband": {},
    "bayesian": {"trials": 5, "options": {"num_initial_points": 4}},
    "optuna": {"trials": 12, "options": {"n_startup_trials": 5, "warmup_trials": 3}},
}


@pytest.fixture(scope="module")
def studies(tmp_path_factory):
    """One study of each engine, all in one database; and its URL."""
    logs = tmp_path_factory.mktemp("logs")
    url = f"sqlite:///{logs}/all.db"
    given = {"epochs": 9, "seed": 0, "logs": logs, "storage": url}
    return {name: tuning.search(CURVE, engine=name, **given, **more) for name, more in ENGINES.items()}, url


@pytest.fixture(params=ENGINES)
def study(request, studies):
    return studies[0][request.param]


@pytest.fixture
def theirs(study, studies):
    return optuna.load_study(study_name=study.name, storage=studies[1])


@pytest.mark.medium
def test_it_is_loaded_with_all_trials(study, theirs):
    states = {"COMPLETED": "COMPLETE", "PRUNED": "PRUNED"}
    assert [t.state.name for t in theirs.trials] == [states[t.state.value] for t in study.trials]
    assert [t.value for t in theirs.trials] == [t.score for t in study.trials]
    assert [t.params for t in theirs.trials] == [t.values for t in study.trials]
    for mine, their in zip(study.trials, theirs.trials, strict=True):
        assert their.intermediate_values == dict(enumerate(mine.curve.values("val_loss")))
        assert their.datetime_start is not None and their.datetime_complete is not None
    assert theirs.best_trial.number == study.best.number


@pytest.mark.medium
def test_importances_and_pictures(theirs):
    assert set(optuna.importance.get_param_importances(theirs)) == {"a", "b", "c", "k"}
    for draw in ("optimization_history", "intermediate_values", "param_importances", "parallel_coordinate", "slice"):
        figure = getattr(optuna.visualization, f"plot_{draw}")(theirs)
        assert len(figure.data) > 0, draw
    assert len(theirs.trials_dataframe()) == len(theirs.trials)


@pytest.mark.slow
def test_the_dashboard_shows_them(studies):
    if importlib.util.find_spec("optuna_dashboard") is None:
        pytest.skip("optuna-dashboard is not installed: pip install optuna-dashboard")
    code = (
        "import sys, optuna, optuna_dashboard as d; from wsgiref.simple_server import make_server\n"
        "with make_server('127.0.0.1', 0, d.wsgi(optuna.storages.RDBStorage(sys.argv[1]))) as server:\n"
        "    print(server.server_port, flush=True); server.serve_forever()"
    )
    command = [sys.executable, "-c", code, studies[1]]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        try:
            url = f"http://127.0.0.1:{int(server.stdout.readline())}/api/studies"
            numbers = {s["study_name"]: s["study_id"] for s in get(url)["study_summaries"]}
            assert set(numbers) == {study.name for study in studies[0].values()}
            for study in studies[0].values():
                found = eventually_trials(f"{url}/{numbers[study.name]}?after=0", len(study.trials))
                assert [t["number"] for t in found] == [t.number for t in study.trials]
                assert found[study.best.number]["values"] == [study.best.score]
        finally:
            server.kill()


def get(url):
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=60) as answer:
        return json.loads(answer.read())


def eventually_trials(url, count):
    """Ask until the dashboard has read all trials: it does so in the background."""
    end = time.monotonic() + 30
    while True:
        found = get(url)["trials"]
        if len(found) == count or time.monotonic() > end:
            return found
        time.sleep(0.1)
