"""What TensorBoard itself says about a study, asked with the requests of its own pages, through both of its loaders.

The study was interrupted: a first process played everything that can happen to a trial, then left the
remains of a kill, and a second process went on.
"""

import csv
import io
import json
import os
import shutil
import urllib.error

import pytest

from tests.tensorboard_client import Client, eventually, first_columns, metrics_of_group
from tests.tensorboard_search import MadeUpSearch, definition, metrics_of, play_everything, values_of
from tuning.hyperparameters import Int
from tuning.records.trial import State
from tuning.tensorboard import TensorBoardObserver, serve

LOADERS = ["true", "false"]
FAILED, RUNNING = {7, 8}, {11, 12}
SCORED = set(range(14)) - FAILED - RUNNING
OBJECTIVE = {"metric": {"group": "", "tag": "objective"}}


@pytest.fixture(scope="module")
def search(tmp_path_factory):
    """The study, interrupted and resumed; returns what the store knows of it."""
    root = tmp_path_factory.mktemp("made_up") / "tensorboard"
    first = MadeUpSearch(TensorBoardObserver(root))
    play_everything(first)
    shutil.copytree(root / "trial_0012" / "running", root / "trial_0000" / "running")  # killed while trial 0 ended
    for path in (root / "trial_0001").glob("*session-*"):
        path.unlink()
    (torn,) = (root / "trial_0012" / "train").iterdir()
    os.truncate(torn, torn.stat().st_size - 7)
    shutil.copytree(root / "trial_0003", root / "trial_0099")
    second = MadeUpSearch(TensorBoardObserver(root), first.definition, list(first.trials.values()))
    second.begin(12, keep=0)
    second.epoch(12)
    second.epoch(12)
    second.root = root
    return second


@pytest.fixture(scope="module", params=LOADERS, ids=["rust", "python"])
def client(request, search):
    with serve([search.root.parent], arguments=["--load_fast", request.param]) as board:
        client = Client(board.url)
        n_shown = len(SCORED | RUNNING)
        eventually(client.groups, lambda rows: sum("objective" in metrics_of_group(r) for r in rows) == n_shown)
        yield client


@pytest.mark.medium
def test_both_tabs_are_there(client, search):
    plugins = client.get("plugins_listing")
    assert plugins["hparams"]["enabled"] and plugins["scalars"]["enabled"]
    assert client.get("environment")["data_location"] == str(search.root)


@pytest.mark.medium
def test_the_experiment_has_types_and_domains(client):
    infos = {info["name"]: info for info in client.experiment()["hparamInfos"]}
    assert set(infos) == {h.name for h in definition().hyperparameters} | {"trial_state", "trial"}
    assert infos["units"]["domainInterval"] == {"minValue": 16, "maxValue": 256}
    assert infos["learning_rate"]["domainInterval"] == {"minValue": 1e-4, "maxValue": 1e-1}
    assert infos["learning_rate"]["displayName"] == "learning_rate (log)"
    assert infos["n_layers"]["domainDiscrete"] == [1, 2, 3, 4]
    assert infos["normalize"]["domainDiscrete"] == [False, True]
    assert infos["max_features"]["domainDiscrete"] == ["sqrt", "0.5", "None"]
    assert infos["trial_state"]["domainDiscrete"] == ["complete", "pruned", "failed", "running"]
    differs = [info.get("differs", False) for info in client.experiment()["hparamInfos"]]
    assert differs == [True] * 5 + [False] * (len(infos) - 5)


def test_the_first_metric_is_the_objective(client):
    names = [(i["name"].get("group", ""), i["name"]["tag"]) for i in client.experiment()["metricInfos"]]
    assert names[:2] == [("", "objective"), ("validation", "epoch_accuracy")]
    assert ("train", "epoch_learning_rate") in names


def test_every_trial_is_one_row_with_its_state(client, search):
    rows = client.by_trial()
    assert sorted(rows) == list(range(14))
    words = {State.COMPLETED: "complete", State.PRUNED: "pruned", State.FAILED: "failed", State.RUNNING: "running"}
    for number, row in rows.items():
        trial = search.trials[number]
        assert row["hparams"]["trial_state"] == words[trial.state], number
        assert row["name"] == f"trial_{number:04d}@made_up"
        (session,) = row["sessions"]
        status = {State.FAILED: "STATUS_FAILURE", State.RUNNING: "STATUS_RUNNING"}.get(trial.state, "STATUS_SUCCESS")
        assert session["status"] == status
        assert session["name"] == f"trial_{number:04d}" + ("/running" if number in RUNNING else "")
        assert session["startTimeSecs"] == trial.started_at
        assert session.get("endTimeSecs", 0) == (trial.ended_at or 0)


def test_values_fit_their_columns(client):
    infos = {info["name"]: info for info in client.experiment()["hparamInfos"]}
    types = {"DATA_TYPE_FLOAT64": (int, float), "DATA_TYPE_STRING": str, "DATA_TYPE_BOOL": bool}
    for number, row in client.by_trial().items():
        given = {**row["hparams"]}
        assert {given.pop(name) for name in ("engine", "study")} == {"hyperband", "made_up"}
        assert given.pop("budget") == 4 or number == 11
        assert set(given) - {"trial", "trial_state"} == set(values_of(number))
        for name, value in given.items():
            assert isinstance(value, types[infos[name]["type"]]), name
            interval = infos[name].get("domainInterval")
            assert value in infos[name].get("domainDiscrete", [value])
            assert interval is None or interval.get("minValue", 0) <= value <= interval["maxValue"]


def test_the_objective_is_the_engines_score(client, search):
    for number, row in client.by_trial().items():
        metrics = metrics_of_group(row)
        assert not [v for v in metrics.values() if isinstance(v, str)], "NaN and infinity come as strings"
        if number in FAILED:
            assert "objective" not in metrics
        else:
            assert metrics["objective"] == pytest.approx(search.trials[number].score, rel=1e-6)
        if number not in RUNNING:
            assert metrics["trial/epochs"] == search.trials[number].epochs
            assert metrics["trial/seconds"] == pytest.approx(search.trials[number].seconds)
        if number in SCORED:
            assert metrics["trial/best_epoch"] == search.trials[number].best_epoch


def test_parallel_coordinates_draws_every_trial_with_a_score(client):
    experiment = client.experiment()
    columns, metrics = first_columns(experiment)
    drawn = {
        number
        for number, row in client.by_trial().items()
        if columns <= row["hparams"].keys() and metrics <= metrics_of_group(row).keys()
    }
    assert drawn == SCORED


def test_sorting_finds_the_best_trial(client, search):
    best = max((t for t in search.trials.values() if t.number in SCORED), key=lambda t: t.score)
    (row,) = client.groups({**OBJECTIVE, "order": "ORDER_DESC", "excludeMissingValues": True}, limit=1)
    assert row["name"].startswith(f"trial_{best.number:04d}@")


def test_filters_find_states_and_values(client):
    assert len(client.groups(statuses=["STATUS_FAILURE"])) == len(FAILED)
    (pruned,) = client.groups({"hparam": "trial_state", "filterDiscrete": ["pruned"]})
    assert pruned["name"].startswith("trial_0006@")
    momentum = client.groups(
        {"hparam": "momentum", "filterInterval": {"minValue": 0.55, "maxValue": 0.65}, "excludeMissingValues": True}
    )
    assert {row["name"][:10] for row in momentum} == {"trial_0006"}


@pytest.mark.medium
def test_every_column_can_be_sorted_by(client):
    for info in client.experiment()["hparamInfos"]:
        assert len(client.groups({"hparam": info["name"], "order": "ORDER_ASC"})) == 14


def test_curves_are_whole_and_have_no_double_steps(client, search):
    for number, trial in search.trials.items():
        if not trial.epochs or number in (7, 9):  # these have gaps where the metrics were not finite
            continue
        curve = client.curve(f"trial_{number:04d}/validation", "epoch_accuracy")
        expected = [(e, pytest.approx(metrics_of(number, e)["val_accuracy"], rel=1e-6)) for e in range(trial.epochs)]
        assert curve == expected, number
    assert [step for step, _ in client.curve("trial_0009/validation", "epoch_loss")] == [1]
    tags = client.get("plugin/scalars/tags")
    assert set(tags["trial_0000/train"]) == {"epoch_accuracy", "epoch_loss", "epoch_learning_rate"}
    assert "trial_0099" not in str(list(tags))


def test_the_tab_draws_the_same_curves(client):
    evals = client.hparams(
        "metric_evals", sessionName="trial_0010", metricName={"group": "validation", "tag": "epoch_accuracy"}
    )
    assert [(step, value) for _, step, value in evals] == client.curve("trial_0010/validation", "epoch_accuracy")
    with pytest.raises(urllib.error.HTTPError, match="404"):
        client.hparams("metric_evals", sessionName="trial_0077", metricName={"tag": "objective"})


def test_the_table_can_be_downloaded(client):
    experiment = client.experiment()
    n_columns = len(experiment["hparamInfos"]) + len(experiment["metricInfos"])
    request = {"allowedStatuses": ["STATUS_SUCCESS"], "colParams": [], "startIndex": 0, "sliceSize": 99}
    text = client.text(
        "plugin/hparams/download_data",
        format="csv",
        columnsVisibility=json.dumps([True] * n_columns),
        request=json.dumps(request),
    )
    header, *lines = csv.reader(io.StringIO(text))
    assert len(lines) == len(SCORED)
    assert len(header) == n_columns
    assert {"learning_rate (log)", "trial_state", "objective", "epochs"} <= set(header)


@pytest.mark.slow
@pytest.mark.parametrize("loader", LOADERS, ids=["rust", "python"])
def test_a_search_is_seen_while_it_runs(tmp_path, loader):
    search = MadeUpSearch(TensorBoardObserver(tmp_path / "tensorboard"))
    with serve([tmp_path], arguments=["--load_fast", loader, "--reload_interval=1"]) as board:
        client = Client(board.url)
        search.begin(0)
        search.epoch(0)

        def states():
            rows = client.by_trial()
            return {n: (r["hparams"]["trial_state"], [s["status"] for s in r["sessions"]]) for n, r in rows.items()}

        running = ("running", ["STATUS_RUNNING"])
        assert eventually(states, lambda s: s == {0: running}) == {0: running}
        so_far = eventually(lambda: metrics_of_group(client.by_trial()[0]))
        assert so_far == {"objective": pytest.approx(search.trials[0].score)}
        search.epoch(0)
        search.close(0, State.PRUNED)
        found = Int("patience", 3, low=1, high=50, step=1).to_json()
        search.begin(1)
        search.epoch(1, val_auc=0.7)
        search.close(1, values={**values_of(1), "patience": 5}, found=(found,))

        expected = {0: ("pruned", ["STATUS_SUCCESS"]), 1: ("complete", ["STATUS_SUCCESS"])}
        assert eventually(states, lambda s: s == expected) == expected
        runs = eventually(lambda: client.get("runs"), lambda r: not any("running" in run for run in r))
        assert not any("running" in run for run in runs)

        def columns():
            experiment = client.experiment()
            found = {info["name"] for info in experiment["hparamInfos"]}
            return found | {info["name"]["tag"] for info in experiment["metricInfos"]}

        assert {"patience", "epoch_auc"} <= eventually(columns, lambda c: {"patience", "epoch_auc"} <= c)
        curve = eventually(lambda: client.curve("trial_0000/train", "epoch_loss"), lambda c: len(c) == 2)
        assert [step for step, _ in curve] == [0, 1]
        assert not list(tmp_path.rglob("running"))
        if loader == "true":  # the other one keeps the points of a file that is gone, until it is started anew
            search.begin(2)
            for _ in range(3):
                search.epoch(2)
            eventually(lambda: 2 in client.by_trial())
            assert len(eventually(lambda: client.curve("trial_0002/train", "epoch_loss"), lambda c: len(c) == 3)) == 3
            search.begin(2, keep=0)  # its worker was lost
            search.epoch(2)
            curve = eventually(lambda: client.curve("trial_0002/train", "epoch_loss"), lambda c: len(c) == 1)
            assert [step for step, _ in curve] == [0]
