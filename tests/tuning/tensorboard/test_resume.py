"""Whatever a killed process left in a study's `tensorboard/` folder, the next one makes good."""

import contextlib
import os
import shutil
import time

import pytest

from tests.tensorboard_files import points_in, resumed, shown
from tests.tensorboard_search import MadeUpSearch, play_everything, values_of
from tuning.records.trial import State
from tuning.tensorboard import TensorBoardObserver, writer
from tuning.tensorboard.layout import our_files


@pytest.fixture
def played(tmp_path):
    search = MadeUpSearch(TensorBoardObserver(tmp_path))
    play_everything(search)
    return search


def test_resuming_what_is_whole_changes_no_finished_trial(played, tmp_path):
    before = {path: path.stat().st_mtime_ns for path in our_files(tmp_path)}
    resumed(played, tmp_path)
    after = {path: path.stat().st_mtime_ns for path in our_files(tmp_path)}
    changed = {path.relative_to(tmp_path).parts[0] for path, _ in before.items() ^ after.items()}
    assert changed == {"trial_0011", "trial_0012"}


def damage_session_missing(root):
    for path in (root / "trial_0000").glob("*session-*"):
        path.unlink()


def damage_session_emptied_by_a_loss_of_power(root):
    for path in (root / "trial_0000").glob("*session-*"):
        path.write_bytes(b"")


def damage_both_sessions(root):
    shutil.copytree(root / "trial_0012" / "running", root / "trial_0001" / "running")


def damage_torn_curve(root):
    (path,) = (root / "trial_0012" / "train").iterdir()
    os.truncate(path, path.stat().st_size - 5)


def damage_epochs_beyond_the_store(root):
    (path,) = (root / "trial_0011" / "train").iterdir()
    points = writer.scalars([("epoch_loss", 0.5, 2), ("epoch_loss", 0.4, 3)], time.time())
    with path.open("ab") as file:
        file.write(writer._encoded(points))


def damage_finished_session_of_a_running_trial(root):
    (path,) = (root / "trial_0002").glob("*session-*")
    shutil.copy(path, root / "trial_0012" / path.name)


def damage_unfinished_file(root):
    (path,) = (root / "trial_0003").glob("*session-*")
    path.rename(path.with_name("unfinished.1.tuning"))


def damage_unknown_trial(root):
    shutil.copytree(root / "trial_0003", root / "trial_0099")


def damage_no_experiment(root):
    shutil.rmtree(root / "_experiment")


def damage_two_experiments(root):
    (folder,) = (root / "_experiment").iterdir()
    shutil.copytree(folder, root / "_experiment" / "1")


def damage_everything(root):
    shutil.rmtree(root)


@pytest.mark.parametrize("damage", [v for k, v in sorted(globals().items()) if k.startswith("damage_")])
def test_resuming_makes_good_what_a_killed_process_left(played, tmp_path, damage):
    before = shown(tmp_path)
    damage(tmp_path)
    resumed(played, tmp_path)
    assert shown(tmp_path) == before
    assert not list(tmp_path.rglob("unfinished*"))


class Killed(BaseException):
    """The process is gone."""


def killed_at(count, patch):
    """Let the process die before its `count`-th change on disk, the last write before it being torn."""
    left = [count]

    def step():
        left[0] -= 1
        if left[0] == 0:
            raise Killed

    def stepping(function):
        return lambda *arguments, **options: (step(), function(*arguments, **options))[1]

    encoded = writer._encoded
    patch.setattr(writer, "_encoded", stepping(lambda events: encoded(events)[: None if left[0] > 1 else 30]))
    for name in ("replace", "unlink", "rmdir"):
        patch.setattr(os, name, stepping(getattr(os, name)))
    return left


def play_a_little(search):
    search.begin(0, stop=1)
    search.epoch(0)
    search.rest(0)
    search.complete(1, {**values_of(1), "extra": 1}, epochs=1)
    search.begin(0, stop=2)
    search.epoch(0)
    search.close(0, State.PRUNED)


@pytest.mark.medium
def test_whenever_it_is_killed_a_resumed_search_shows_the_same(tmp_path, monkeypatch):
    for count in range(1, 100):
        root = tmp_path / str(count)
        search = MadeUpSearch(TensorBoardObserver(root))
        with monkeypatch.context() as patch:
            left = killed_at(count, patch)
            with contextlib.suppress(Killed):
                play_a_little(search)
        resumed(search, root)
        resumed(search, root / "anew")
        assert shown(root / "anew") == {k: v for k, v in shown(root).items() if not k.startswith("anew")}
        if left[0] > 0:
            break
    assert 20 < count < 100


def test_a_run_that_is_trained_again_has_no_double_steps(played, tmp_path):
    again = resumed(played, tmp_path)
    again.begin(12, keep=0)
    assert "trial_0012/train" not in points_in(tmp_path)
    again.epoch(12)
    again.epoch(12)
    again.close(12)
    assert [s for s, _ in points_in(tmp_path)["trial_0012/train"]["epoch_loss"]] == [0, 1]


def test_a_rewritten_curve_keeps_about_its_times(played, tmp_path):
    shutil.rmtree(tmp_path / "trial_0004")
    resumed(played, tmp_path)
    (path,) = (tmp_path / "trial_0004" / "train").iterdir()
    times = sorted({e.wall_time for e in writer.read_events(path) if e.summary.value})
    start = played.trials[4].started_at
    assert times == [start + 1.5, start + 3, start + 4.5, start + 6]


def test_a_users_own_files_survive(played, tmp_path):
    own = [
        tmp_path / "trial_0000" / "events.out.tfevents.1.host",
        tmp_path / "trial_0012" / "train" / "events.out.tfevents.1.host",
        tmp_path / "trial_0099" / "mine" / "notes.txt",
        tmp_path / "trial_0007" / "running" / "events.out.tfevents.1.host.v2",
    ]
    for path in own:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("mine")
    damage_session_missing(tmp_path)
    again = resumed(played, tmp_path)
    again.begin(12, keep=0)
    assert all(path.read_text() == "mine" for path in own)


def test_links_are_not_followed(played, tmp_path_factory, tmp_path):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "events.out.tfevents.1.tuning").write_text("keep")
    (tmp_path / "trial_0012" / "link").symlink_to(elsewhere)
    resumed(played, tmp_path).begin(12, keep=0)
    assert (elsewhere / "events.out.tfevents.1.tuning").exists()
