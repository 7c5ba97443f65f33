"""What the observer leaves on disk while a search runs, and when the disk does not take it."""

import itertools
import time
import warnings
from dataclasses import replace
from pathlib import Path

import pytest

from tests.tensorboard_files import experiments, points_in, resumed, shown
from tests.tensorboard_search import MadeUpSearch, metrics_of, play_everything, values_of
from tuning.errors import StudyError
from tuning.records.trial import State
from tuning.tensorboard import TensorBoardObserver, writer
from tuning.tensorboard.hparams import experiments_in
from tuning.tensorboard.layout import Layout, our_files

SESSION = {"_hparams_/session_start_info", "_hparams_/session_end_info"}


@pytest.fixture
def search(tmp_path):
    return MadeUpSearch(TensorBoardObserver(tmp_path))


@pytest.fixture
def played(search):
    play_everything(search)
    return search


def test_curves_have_kerass_names(search, tmp_path):
    search.complete(0)
    runs = points_in(tmp_path)
    assert set(runs["trial_0000/train"]) == {"epoch_accuracy", "epoch_loss", "epoch_learning_rate"}
    assert set(runs["trial_0000/validation"]) == {"epoch_accuracy", "epoch_loss"}
    expected = [(e, pytest.approx(metrics_of(0, e)["val_accuracy"], abs=1e-6)) for e in range(4)]
    assert runs["trial_0000/validation"]["epoch_accuracy"] == expected


def test_each_epoch_is_on_disk_when_it_ends(search, tmp_path):
    search.begin(0)
    assert set(points_in(tmp_path)["trial_0000/running"]) == SESSION
    for epoch in range(3):
        search.epoch(0)
        assert len(points_in(tmp_path)["trial_0000/train"]["epoch_loss"]) == epoch + 1
    assert points_in(tmp_path)["trial_0000/running"]["objective"][-1] == (2, pytest.approx(search.trials[0].score))
    assert "trial_0000" not in points_in(tmp_path)


def test_the_end_of_a_trial_replaces_its_running_session(search, tmp_path):
    search.complete(0)
    assert not (tmp_path / "trial_0000" / "running").exists()
    session = points_in(tmp_path)["trial_0000"]
    assert session["objective"][-1] == (search.trials[0].best_epoch, pytest.approx(search.trials[0].score))
    assert session["trial/epochs"] == [(3, 4)]
    assert session["trial/seconds"] == [(3, 6)]


def test_a_continued_trial_has_every_step_once(played, tmp_path):
    for number in (10, 13):
        for split in ("train", "validation"):
            for tag, points in points_in(tmp_path)[f"trial_{number:04d}/{split}"].items():
                assert [step for step, _ in points] == [0, 1, 2, 3], (number, tag)


def test_a_rest_and_a_run_on_append_to_what_is_there(search, tmp_path):
    search.begin(0, stop=1)
    search.epoch(0)
    search.rest(0)
    before = {path: path.stat().st_size for path in our_files(tmp_path / "trial_0000")}
    search.begin(0, stop=2)
    search.epoch(0)
    assert all(path.stat().st_size >= size for path, size in before.items())


def test_only_running_trials_have_a_running_session(played, tmp_path):
    running = {path.parent.name for path in tmp_path.glob("*/running")}
    assert running == {"trial_0011", "trial_0012"}
    assert len(experiments(tmp_path)) == 1


def test_nothing_that_cannot_be_drawn_is_written(played, tmp_path):
    points = [point for tags in points_in(tmp_path).values() for points in tags.values() for point in points]
    assert all(value is None or abs(value) < 1e38 for _, value in points)
    assert [step for step, _ in points_in(tmp_path)["trial_0009/validation"]["epoch_loss"]] == [1]
    assert [step for step, _ in points_in(tmp_path)["trial_0009/train"]["epoch_loss"]] == [1, 2]


def test_a_trial_that_ends_before_it_began_is_shown(search, tmp_path):
    search.begin(0)
    trial = replace(search.trials[0], number=5, state=State.FAILED)
    search.observer.trial_ended(trial)
    assert "trial/epochs" in points_in(tmp_path)["trial_0005"]


def test_a_new_metric_or_hyperparameter_gets_a_new_experiment_record(search, tmp_path):
    before = experiments(tmp_path)
    search.complete(0)
    with_metrics = experiments(tmp_path)
    search.complete(1)
    assert experiments(tmp_path) == with_metrics != before
    search.begin(2, {**values_of(2), "extra": 3})
    assert len(experiments(tmp_path)) == 1
    assert experiments(tmp_path) != with_metrics


def test_the_end_of_a_trial_shows_what_it_did_not_use(search, tmp_path):
    search.complete(0, {k: v for k, v in values_of(0).items() if k != "units"})
    (record,) = experiments_in(tmp_path / "_experiment")
    assert "units" not in {info.name for info in record.hparam_infos if info.differs}


def test_a_column_that_turns_into_strings_does_so_in_all_trials(search, tmp_path):
    search.complete(0, {**values_of(0), "extra": 3})
    search.begin(1, {**values_of(1), "extra": 4})
    label = Layout(tmp_path).trials()[0].labels
    search.complete(2, {**values_of(2), "extra": "many"})
    assert Layout(tmp_path).trials()[0].labels != label
    search.epoch(1)
    assert [s for s, _ in points_in(tmp_path)["trial_0001/train"]["epoch_loss"]] == [0]
    again = resumed(search, tmp_path)
    assert again.trials[1].epochs == 1
    assert shown(tmp_path)["trial_0000/train"]["epoch_loss"][-1][0] == 3


def test_what_comes_before_the_search_starts_is_left_to_its_start(tmp_path, search):
    search.complete(0)
    observer = TensorBoardObserver(tmp_path / "other")
    observer.trial_ended(search.trials[0])
    assert not (tmp_path / "other").exists()
    observer.search_started(search.definition, list(search.trials.values()))
    assert "objective" in points_in(tmp_path / "other")["trial_0000"]


def test_a_folder_that_cannot_be_made_is_refused_at_once(tmp_path):
    (tmp_path / "tensorboard").write_text("a file")
    with pytest.raises(StudyError, match="must be a folder that can be written to"):
        MadeUpSearch(TensorBoardObserver(tmp_path / "tensorboard"))


@pytest.mark.parametrize("failing", [{1}, {0, 1}, {1, 2}])  # writes, some of which still find room
def test_a_full_disk_does_not_end_the_search_and_is_made_up_for(search, tmp_path, monkeypatch, failing):
    search.begin(0)
    search.epoch(0)
    encoded, calls = writer._encoded, itertools.count()

    def encoded_or_not(events):
        if next(calls) in failing:
            raise OSError(28, "No space left on device")
        return encoded(events)

    with monkeypatch.context() as patch:
        patch.setattr(writer, "_encoded", encoded_or_not)
        with pytest.warns(RuntimeWarning, match="No space left on device.*the search goes on"):
            search.epoch(0)
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # said once is enough
            search.epoch(0, val_auc=0.5)
    search.epoch(0)
    search.close(0)
    runs = points_in(tmp_path)
    assert [s for s, _ in runs["trial_0000/train"]["epoch_loss"]] == [0, 1, 2, 3]
    assert runs["trial_0000/validation"]["epoch_auc"] == [(2, 0.5)]
    assert len(experiments(tmp_path)) == 1


@pytest.mark.medium
def test_thousands_of_trials_are_looked_over_quickly(tmp_path):
    search = MadeUpSearch(TensorBoardObserver(tmp_path))
    for number in range(500):
        search.complete(number, epochs=1)
    start = time.process_time()
    resumed(search, tmp_path)
    assert time.process_time() - start < 1.0  # takes 0.06 s; writing it all anew takes 0.5 s


def test_a_reader_stops_at_a_torn_record(tmp_path):
    file = writer.EventFile(tmp_path)
    for step in range(3):
        file.append(writer.scalars([("loss", 0.5, step)], 1.0))
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    read = []
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut])
        read.append([e.step for e in writer.read_events(path) if e.summary.value])
    assert [list(steps) for steps in dict.fromkeys(map(tuple, read))] == [[], [0], [0, 1], [0, 1, 2]]
    assert read[-2:] == [[0, 1], [0, 1, 2]]


def test_files_sort_in_the_order_of_writing():
    names = [writer.file_name() for _ in range(200)]
    assert names == sorted(names)
    assert writer.label_of(writer.file_name()) == ""
    assert writer.label_of(writer.file_name("session-0a1b2c3d")) == "session-0a1b2c3d"


def test_folders_of_a_part_look_like_those_of_a_trial(tmp_path):
    layout = Layout(tmp_path)
    assert layout.session(7, "fold_2") == Path(tmp_path, "trial_0007", "fold_2")
    assert layout.running(7, "fold_2") == Path(tmp_path, "trial_0007", "fold_2", "running")
    assert layout.curves(7, "train", "fold_2") == Path(tmp_path, "trial_0007", "fold_2", "train")
