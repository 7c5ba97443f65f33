"""The lock on a study's folder."""

import contextlib
import errno
import json
import os
import signal
import subprocess
import sys
import threading

import pytest

from tests.conftest import ROOT
from tests.tuning.driver.test_failures_storage import small_disk
from tuning.errors import StudyError
from tuning.storage.lock import LOCK, held_by, holder, locked, refuse_if_locked

HOLDING = (
    "import sys, time; from pathlib import Path; from tuning.storage.lock import locked\n"
    "with locked(Path(sys.argv[1])): print('held', flush=True); time.sleep(100)"
)


@pytest.fixture
def other(tmp_path):
    """Another process that holds the lock of `tmp_path / "study"`."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDING, str(tmp_path / "study")], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


@pytest.mark.medium
def test_the_second_is_refused_and_told_by_whom(other, tmp_path):
    expected = f"study 'study' is being searched by process {other.pid} on {holder()['host']}. Wait until it ends"
    with pytest.raises(StudyError, match=expected), locked(tmp_path / "study"):
        pass
    with pytest.raises(StudyError, match=expected):
        refuse_if_locked(tmp_path / "study")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_lock_ends_with_its_holder(number, other, tmp_path):
    other.send_signal(signal.SIGSTOP)
    with pytest.raises(StudyError), locked(tmp_path / "study"):
        pass
    other.send_signal(number)
    other.send_signal(signal.SIGCONT)
    other.wait()
    with locked(tmp_path / "study"):
        assert json.loads((tmp_path / "study" / LOCK).read_text())["pid"] == os.getpid()
    assert (tmp_path / "study" / LOCK).read_text() == ""


def test_processes_that_the_holder_has_started_do_not_hold_it(tmp_path):
    with locked(tmp_path):
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(100)"], close_fds=False)
    with locked(tmp_path):
        pass
    child.kill()
    child.wait()


def test_looking_makes_nothing_and_is_in_nobodys_way(tmp_path):
    refuse_if_locked(tmp_path / "study")
    assert not (tmp_path / "study").exists()
    with locked(tmp_path / "study"):
        pass
    stop = threading.Event()

    def look():
        while not stop.is_set():
            with contextlib.suppress(StudyError):  # rightly refused while it is held
                refuse_if_locked(tmp_path / "study")

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        for _ in range(30):
            with locked(tmp_path / "study"):
                pass
    finally:
        stop.set()
        watcher.join()


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"host": "here"}'])
def test_a_holder_that_has_not_said_who_it_is(content, other, tmp_path):
    (tmp_path / "study" / LOCK).write_text(content)
    with pytest.raises(StudyError, match="is being searched by another process"):
        refuse_if_locked(tmp_path / "study")


def test_the_error_says_what_can_be_done():
    assert str(held_by("s", {"host": "h", "pid": 1})) == (
        "study 's' is being searched by process 1 on h. Wait until it ends, or stop it, or choose another study name."
    )


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(StudyError, match="must be a folder that can be written to"),
        locked(tmp_path / "file" / "study"),
    ):
        pass


def test_a_full_disk_does_not_matter(tmp_path):
    with small_disk(tmp_path / "disk", "16k") as disk:
        (disk / "study").mkdir()
        (disk / "study" / LOCK).touch()
        with open(disk / "filler", "wb", buffering=0) as filler, pytest.raises(OSError, match="No space left"):
            while True:
                filler.write(b"\0" * 4096)
        with locked(disk / "study"):
            pass


def test_a_deleted_lock_file_admits_nobody(other, tmp_path):
    (tmp_path / "study" / LOCK).unlink()
    with pytest.raises(StudyError, match="is being searched"), locked(tmp_path / "study"):
        pass
    other.kill()
    other.wait()
    with locked(tmp_path / "study"):
        pass


def test_a_link_in_place_of_the_lock_is_not_followed(tmp_path):
    (tmp_path / "study").mkdir()
    (tmp_path / "precious").write_text("kept")
    (tmp_path / "study" / LOCK).symlink_to(tmp_path / "precious")
    with pytest.raises(StudyError, match="must be a folder that can be written to"), locked(tmp_path / "study"):
        pass
    assert (tmp_path / "precious").read_text() == "kept"


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_lock_is_neither_waited_for_nor_in_the_way_of_who_looks(make, tmp_path):
    make(tmp_path / LOCK)
    refuse_if_locked(tmp_path)


def test_a_file_system_without_locks_is_said(tmp_path, monkeypatch):
    def no_locks(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("tuning.storage.lock.fcntl.flock", no_locks)
    with pytest.raises(StudyError, match="must lie where files can be locked, .* No locks available.*--logs"):
        locked(tmp_path / "s").__enter__()
