"""Starting TensorBoard, and several studies side by side."""

import os
import socket
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path

import pytest

from tests.tensorboard_client import Client, eventually, first_columns, metrics_of_group
from tests.tensorboard_search import HYPERPARAMETERS, MadeUpSearch, definition, values_of
from tuning.errors import OptionError, StudyError, TuningError
from tuning.hyperparameters import Choice, Int
from tuning.records.objective import Objective
from tuning.records.trial import State
from tuning.tensorboard import Board, TensorBoardObserver, board, compare, serve
from tuning.tensorboard.hparams import Records, experiments_in

CNN = (*HYPERPARAMETERS[:6], Choice("filters", 8, choices=(8, 16)))


def make_study(root, name, n_trials=3, values=values_of, **fields):
    search = MadeUpSearch(TensorBoardObserver(root / name / "tensorboard"), definition(name, **fields))
    for number in range(n_trials):
        search.complete(number, values(number))
    search.path = root / name
    return search


def values_of_cnn(number):
    names = {h.name for h in CNN}
    return {k: v for k, v in {**values_of(number), "filters": 8}.items() if k in names}


@pytest.fixture
def two(tmp_path):
    return [
        make_study(tmp_path, "dense", engine="random"),
        make_study(tmp_path, "cnn", hyperparameters=CNN, values=values_of_cnn, engine="bayesian"),
    ]


# One study -----------------------------------------------------------------------------------------------------


@pytest.mark.medium
def test_serving_answers_on_the_local_address_and_ends(tmp_path):
    study = make_study(tmp_path, "dense", 1)
    with serve([str(study.path)]) as served:
        assert served.url.startswith("http://127.0.0.1:")
        assert served.process.poll() is None
        assert Client(served.url).get("environment")["data_location"] == str(study.path / "tensorboard")
        with serve([study.path]) as other:  # the next free port
            assert other.url != served.url
            taken = int(served.url.rstrip("/").rpartition(":")[2])
            with pytest.raises(OptionError, match=f"`port` must be free on 127.0.0.1, but got {taken}. Address"):
                serve([study.path], port=taken)
    assert served.process.poll() is not None
    assert other.process.poll() is not None


@pytest.mark.medium
def test_a_given_port_is_used(tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with serve([make_study(tmp_path, "dense", 1).path], port=port) as served:
        assert served.url == f"http://127.0.0.1:{port}/"


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_a_port_that_is_none_is_refused(tmp_path, port):
    study = make_study(tmp_path, "dense", 1)
    with pytest.raises(OptionError, match=f"`port` must be 1 to 65535, but got {port}"):
        serve([study.path], port=port)


def test_a_study_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(StudyError, match="must be the folder of a study, but there is none"):
        serve([tmp_path / "nothing"])
    with pytest.raises(StudyError, match="must hold a folder 'tensorboard', but there is none"):
        serve([tmp_path])
    with pytest.raises(OptionError, match="must name at least one study"):
        serve([])


@pytest.mark.medium
def test_a_tensorboard_that_does_not_start_says_why(tmp_path):
    study = make_study(tmp_path, "dense", 1)
    with pytest.raises(TuningError, match="unrecognized arguments: --no-such-thing"):
        serve([study.path], arguments=["--no-such-thing"])


@pytest.mark.slow
def test_a_port_taken_at_the_last_moment_is_given_up_for_the_next(tmp_path, monkeypatch):
    study = make_study(tmp_path, "dense", 1)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        monkeypatch.setattr(board, "FIRST_PORT", taken.getsockname()[1])
        seen = iter([""])  # free when looked at first
        why_not = board._why_not
        monkeypatch.setattr(board, "_why_not", lambda host, port: next(seen, None) or why_not(host, port))
        with serve([study.path]) as served:
            assert str(taken.getsockname()[1]) not in served.url


def test_another_program_on_the_port_is_not_taken_for_tensorboard(tmp_path):
    study = make_study(tmp_path, "dense", 1)
    program = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", "0"]
    server = subprocess.Popen(
        program,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        bufsize=1,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        port = int(server.stdout.readline().split("port ")[1].split()[0])
        with pytest.raises(OptionError, match="must be free"):
            serve([study.path], port=port)
    finally:
        server.kill()
        server.wait()
        server.stdout.close()


@pytest.mark.medium
def test_a_proxy_in_the_environment_is_not_asked(tmp_path, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with serve([make_study(tmp_path, "dense", 1).path]) as served:
        assert isinstance(served, Board)
        with pytest.raises(OSError):
            urllib.request.urlopen(served.url, timeout=5)


# Several studies -----------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_two_studies_are_served_side_by_side(two, tmp_path):
    folder = tmp_path / "compare"
    with serve([s.path for s in two], folder=folder) as served:
        client = Client(served.url)
        rows = eventually(client.groups, lambda rows: sum("objective" in metrics_of_group(r) for r in rows) == 6)
        assert {row["name"] for row in rows} == {f"trial_{n:04d}@{s}" for n in range(3) for s in ("dense", "cnn")}
        engines = {(row["hparams"]["study"], row["hparams"]["engine"]) for row in rows}
        assert engines == {("dense", "random"), ("cnn", "bayesian")}
        experiment = client.experiment()
        columns, metrics = first_columns(experiment)
        assert columns == {"learning_rate", "n_layers", "normalize", "study", "units"}
        for row in rows:
            assert columns <= row["hparams"].keys()
            assert metrics <= metrics_of_group(row).keys()
        for info in experiment["hparamInfos"]:
            client.groups({"hparam": info["name"], "order": "ORDER_ASC"})

        two[0].complete(3)
        served.refresh()
        assert (folder / "dense" / "trial_0003" / "train").is_dir()
    assert folder.is_dir()
    assert (two[0].path / "tensorboard" / "trial_0003").is_dir()


@pytest.mark.medium
def test_a_temporary_view_is_removed_and_leaves_the_studies_alone(two):
    with serve([s.path for s in two]) as served:
        logdir = served.logdir
        assert (logdir / "cnn" / "trial_0000").is_symlink()
    assert not logdir.exists()
    assert (two[1].path / "tensorboard" / "trial_0000" / "train").is_dir()


@pytest.mark.medium
def test_a_view_of_several_studies_follows_them_while_it_is_waited_for(two, tmp_path, monkeypatch):
    monkeypatch.setattr(board, "_REFRESH_SECONDS", 0.05)
    with serve([s.path for s in two], folder=tmp_path / "compare") as served:
        two[0].complete(3)
        link = tmp_path / "compare" / "dense" / "trial_0003"
        threading.Thread(target=lambda: eventually(link.exists) and served.process.terminate()).start()
        assert served.wait() == 0
        assert link.exists()


def test_joining_again_follows_the_studies(two, tmp_path):
    folders, into = [s.path / "tensorboard" for s in two], tmp_path / "compare"
    compare.join(folders, into)
    (record,) = (into / "_experiment").iterdir()
    compare.join(folders, into)
    assert list((into / "_experiment").iterdir()) == [record]
    two[0].complete(3, {**values_of(3), "extra": 1})
    os.rename(folders[1] / "trial_0002", folders[1] / "gone")
    compare.join(folders, into)
    assert (into / "dense" / "trial_0003").exists()
    assert not (into / "cnn" / "trial_0002").is_symlink()
    (union,) = experiments_in(into / "_experiment")
    assert "extra" in {info.name for info in union.hparam_infos}


def test_studies_of_the_same_name_are_refused(tmp_path):
    studies = [make_study(tmp_path / place, "dense", 1) for place in ("here", "there")]
    with pytest.raises(OptionError, match="must have different names.*'dense, dense'"):
        serve([s.path for s in studies])


def test_a_study_without_a_record_cannot_be_joined(two):
    empty = two[0].path.parent / "empty"
    (empty / "tensorboard").mkdir(parents=True)
    with pytest.raises(StudyError, match="must hold one study's record"):
        serve([two[0].path, empty])


def union_of(*definitions):
    return compare.union([Records(d).experiment() for d in definitions], ["random"])


def test_the_union_of_domains_and_titles():
    wider = (*HYPERPARAMETERS[:1], Int("units", 1, low=1, high=64, step=1), HYPERPARAMETERS[2])
    infos = {i.name: i for i in union_of(definition("a"), definition("b", wider)).hparam_infos}
    assert (infos["units"].domain_interval.min_value, infos["units"].domain_interval.max_value) == (1, 256)
    assert infos["learning_rate"].display_name == "learning_rate (log)"
    assert list(infos["study"].domain_discrete) == ["a", "b"]
    assert sum(info.differs for info in infos.values()) == 5


def test_a_column_of_different_types_is_left_out_of_the_union():
    words = (Choice("units", "few", choices=("few", "many")), *HYPERPARAMETERS[2:4])
    names = {i.name for i in union_of(definition("a"), definition("b", words)).hparam_infos}
    assert "units" not in names
    assert "learning_rate" in names


def test_studies_with_different_objectives_share_only_what_both_have_in_front():
    other = definition("b", objective=Objective("val_loss", "min"))
    tags = [i.name.tag for i in union_of(definition("a"), other).metric_infos]
    assert tags == ["objective", "trial/epochs", "trial/best_epoch", "trial/seconds"]
    (objective, *_) = union_of(definition("a"), other).metric_infos
    assert "val_accuracy (max)" in objective.description and "val_loss (min)" in objective.description


def test_a_pruned_trial_joins_as_well(two, tmp_path):
    two[0].begin(7)
    two[0].epoch(7)
    two[0].close(7, State.PRUNED)
    compare.join([s.path / "tensorboard" for s in two], tmp_path / "compare")
    assert Path(tmp_path, "compare", "dense", "trial_0007").resolve() == two[0].path / "tensorboard" / "trial_0007"
