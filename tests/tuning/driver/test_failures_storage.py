"""The database goes away, is full, or cannot be written to in the middle of a search."""

import contextlib
import os
import resource
import shutil
import signal
import subprocess
import time

import pytest

import tuning
from tests.processes import CURVE, Driver, is_sound, outcome, records, running_postgres, tune, wait_until
from tests.tuning.driver.test_failures_drivers import EPOCH, arguments
from tuning.records.trial import State
from tuning.storage.lock import holder
from tuning.storage.store import Store

pytestmark = pytest.mark.slow

HINT = "the same command goes on where it was"


# PostgreSQL -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server():
    with running_postgres() as started:
        yield started


RECORDS = (
    "SELECT t.number, a.value_json FROM trials t JOIN studies s USING (study_id) "
    "JOIN trial_user_attributes a USING (trial_id) WHERE s.study_name = :name AND a.key = 'tuning'"
)


def stored(folder, server, name="s"):
    """Return the trials in the server, and the text of the finished ones."""
    with contextlib.closing(Store.of(folder / name, server.url())) as store:
        if store.definition() is None:
            return [], {}
        trials, _ = store.read()
        documents = dict(map(tuple, store._queried(RECORDS, {"name": name})))
        return trials, {t.number: documents[t.number] for t in trials if t.state.is_finished}


@pytest.mark.parametrize(("engine", "workers"), [("random", 1), ("hyperband", 2), ("bayesian", 1)])
def test_a_server_that_crashes_and_comes_back_is_waited_for(engine, workers, server, tmp_path):
    name = f"{engine}-{workers}"
    given = arguments(tmp_path, engine, workers=workers, storage=server.url(), study=name)
    driver = Driver(env=EPOCH, **given)
    wait_until(lambda: stored(tmp_path, server, name)[1])
    before = stored(tmp_path, server, name)[1]
    for pause in (0.0, 0.6):
        server.stop("immediate")
        time.sleep(pause)
        server.start()
    assert driver.wait() == ""
    trials, documents = stored(tmp_path, server, name)
    assert before.items() <= documents.items(), "what was finished has not changed"
    assert {t.state for t in trials} == {State.COMPLETED} and {t.trainings[0].lost for t in trials} == {0}
    assert [t.number for t in trials] == list(range(len(trials)))
    if workers == 1:
        straight = tuning.search(CURVE, **arguments(tmp_path / "straight", engine))
        assert outcome(tuning.load(tmp_path / name, storage=server.url())) == outcome(straight)


def impatient():
    from tuning.storage import database

    database.RECONNECT_SECONDS = 1.0


def test_a_server_that_stays_away_ends_the_search_with_what_to_do_and_it_can_go_on(server, tmp_path):
    given = arguments(tmp_path, "random", workers=2, storage=server.url())
    driver = Driver(env=EPOCH, before=impatient, **given)
    wait_until(lambda: len(stored(tmp_path, server)[0]) >= 4)
    before = stored(tmp_path, server)[1]
    server.stop("immediate")
    error = driver.wait()
    output = driver.output.read_text()
    server.start()
    assert error.startswith("StudyError: the database postgresql+psycopg://tester:***@127.0.0.1") and HINT in error
    assert "Traceback" not in output and "s3cret" not in output + error
    assert before.items() <= stored(tmp_path, server)[1].items()
    assert Driver(**given).wait() == ""
    straight = tuning.search(CURVE, **arguments(tmp_path / "straight", "random"))
    found = tuning.load(tmp_path / "s", storage=server.url())
    assert [(t.number, t.score, t.curve) for t in found.trials] == [
        (t.number, t.score, t.curve) for t in straight.trials
    ]


def test_a_study_on_postgresql_is_refused_to_a_second_driver_and_taken_up_at_once_from_a_killed_one(server, tmp_path):
    """From any folder, as from any machine."""
    given = arguments(tmp_path, "hyperband", storage=server.url(), study="hunted")
    settled = {}
    for _ in range(2):
        count = len(stored(tmp_path, server, "hunted")[0])
        driver = Driver(env={"CURVE_EPOCH_SECONDS": "0.05"}, **given)
        wait_until(lambda count=count: len(stored(tmp_path, server, "hunted")[0]) > count + 1)
        refused = Driver(**{**given, "logs": tmp_path / "elsewhere"}).wait()
        assert refused.startswith(
            f"StudyError: study 'hunted' is being searched by process {driver.pid} on {holder()['host']}"
        )
        driver.kill()
        now = stored(tmp_path, server, "hunted")[1]
        assert settled.items() <= now.items()
        settled = now
    assert Driver(env=EPOCH, **{**given, "logs": tmp_path / "elsewhere"}).wait() == "", (
        "at once, and from another folder"
    )
    straight = tuning.search(CURVE, **arguments(tmp_path / "straight", "hyperband"))
    assert outcome(tuning.load(tmp_path / "hunted", storage=server.url())) == outcome(straight)


def test_commands_show_no_password(server, tmp_path):
    url = server.url()
    run = ["run", CURVE, "--engine", "random", "--trials", "2", "--epochs", "2", "--workers", "2", "--study", "s"]
    for command, environment in (
        ([*run, "--storage", url], {}),
        (run, {"TUNE_STORAGE": url}),
        (["show", "s"], {"TUNE_STORAGE": url}),
        ([*run, "--storage", server.url(port=9)], {}),
        (["show", "s", "--storage", server.url(password="s3cret-wrong")], {}),
    ):
        out, err = tune(*command, cwd=tmp_path, env=environment).communicate(timeout=60)
        assert "s3cret" not in out + err and "Traceback" not in err
        assert len(err.splitlines()) == 1 or not err.startswith("error")
    assert not [p for p in tmp_path.rglob("*") if p.is_file() and b"s3cret" in p.read_bytes()]


# Full and read-only disks --------------------------------------------------------------------------------


@contextlib.contextmanager
def small_disk(folder, size="3m"):
    """Mount a file system that is soon full; skip where that is not allowed."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a file system can only be mounted by root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_full_disk_ends_the_search_with_one_line_and_it_goes_on_when_there_is_room(workers, tmp_path):
    with small_disk(tmp_path / "disk") as disk:
        filler = disk / "filler"
        given = arguments(disk, "random", workers=workers)
        driver = Driver(env=EPOCH, **given)
        wait_until(lambda: len(records(disk / "s" / "trials.db")) >= 3)
        with contextlib.suppress(OSError), filler.open("wb") as file:
            while True:
                file.write(b"\0" * 4096)
                file.flush()
        error = driver.wait()
        assert error.startswith("StudyError: the database sqlite:////") and "database or disk is full" in error
        assert HINT in error and "Traceback" not in driver.output.read_text()
        filler.unlink()
        assert is_sound(disk / "s" / "trials.db")
        assert Driver(**given).wait() == ""
        straight = tuning.search(CURVE, **arguments(tmp_path / "straight", "random"))
        assert [(t.number, t.score) for t in tuning.load(disk / "s").trials] == [
            (t.number, t.score) for t in straight.trials
        ]


def without_large_files():
    resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)


def test_a_file_that_may_not_grow_is_an_error_of_one_line(tmp_path):
    error = Driver(before=without_large_files, **arguments(tmp_path, "random")).wait()
    assert error.startswith("StudyError: the database sqlite:////") and ("disk I/O error" in error or "full" in error)
    assert Driver(**arguments(tmp_path, "random")).wait() == ""


def test_a_database_that_cannot_be_written_is_an_error_of_one_line(tmp_path):
    tuning.search(CURVE, **arguments(tmp_path, "random", trials=2))
    folder = tmp_path / "s"
    for path in (folder / "trials.db", folder):
        path.chmod(0o555)
    command = ["run", CURVE, "--engine", "random", "--trials", "3", "--epochs", "9", "--study", "s", "--logs", tmp_path]
    try:
        process = tune(*command, "--workers", "1", cwd=tmp_path, preexec_fn=_without_privileges)
        out, err = process.communicate(timeout=60)
    finally:
        folder.chmod(0o755)
        (folder / "trials.db").chmod(0o644)
    assert process.returncode == 1 and out == ""
    assert len(err.splitlines()) == 1 and err.startswith("error: ")
    assert "read" in err or "Permission denied" in err


def _without_privileges():
    """Let root be bound by permissions as everybody is."""
    if os.geteuid() == 0:
        import ctypes

        for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
            ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP
