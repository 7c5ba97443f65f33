"""The store in PostgreSQL, on a real server: the contract, one driver a study, and a server that goes away."""

import itertools
import os
import threading
import time

import pytest

import tuning
from tests.contracts.store import DEFINITION, MIXED_SPACE, StoreContract, a_trial, scored
from tests.processes import CURVE, PASSWORD, running_postgres
from tuning.errors import StudyError
from tuning.records.trial import State
from tuning.storage import database
from tuning.storage.lock import holder, key_of
from tuning.storage.store import Store


@pytest.fixture(scope="module")
def server():
    with running_postgres() as started:
        yield started


@pytest.fixture
def where(server, tmp_path, counter=itertools.count()):  # noqa: B008
    return tmp_path / f"study-{next(counter)}", server.url()


class TestStoreInPostgreSQL(StoreContract):
    @pytest.fixture
    def where(self, where):
        return where


@pytest.fixture
def store(where):
    made = Store.of(*where, exclusive=True)
    made.create(DEFINITION)
    made.claim()
    yield made
    made.close()


# One driver a study ---------------------------------------------------------------------------------------


@pytest.mark.medium
def test_a_second_driver_is_refused_from_any_folder_and_told_who_has_the_study(store, where, tmp_path):
    me = holder()
    for folder in (where[0], tmp_path / "on" / "another" / "host" / where[0].name):
        with pytest.raises(StudyError, match=f"is being searched by process {me['pid']} on {me['host']}"):
            Store.of(folder, where[1], exclusive=True)
    Store.of(*where).close()
    store.close()
    Store.of(*where, exclusive=True).close()


def test_other_studies_of_the_database_are_free(store, where, tmp_path):
    Store.of(tmp_path / "other", where[1], exclusive=True).close()
    assert key_of("one") != key_of("other") and -(2**63) <= key_of("one") < 2**63


def test_a_search_is_refused_before_anything_is_looked_at(store, where):
    class Untouched(tuning.SearchSpace):
        name = "untouched"

        def load_data(self):
            raise AssertionError("no data is loaded")

    with pytest.raises(StudyError, match="is being searched by process"):
        tuning.search(Untouched(), storage=where[1], study=where[0].name, logs=where[0].parent)


# A server that goes away ----------------------------------------------------------------------------------


@pytest.fixture
def stopped(server):
    """Stop the server; it is started again at the end, or earlier by calling this with seconds."""
    server.stop()
    timers = []

    def start_after(seconds):
        timers.append(threading.Timer(seconds, server.start))
        timers[-1].start()

    yield start_after
    if not timers:
        server.start()
    for timer in timers:
        timer.join()


WRITES = {
    "begin": lambda store: store.begin(a_trial(1), {"after": 1}, MIXED_SPACE),
    "begin_again": lambda store: store.begin(a_trial(0), {"after": 0}, MIXED_SPACE),
    "save": lambda store: store.save(a_trial(0, compiled=True)),
    "report": lambda store: store.report(a_trial(0), 1.0),
    "close_trial": lambda store: store.close_trial(a_trial(0, state=State.COMPLETED, trainings=scored(1.0))),
    "read": lambda store: store.read(),
}


@pytest.mark.medium
@pytest.mark.parametrize("write", WRITES)
def test_a_server_that_comes_back_is_waited_for(write, store, server):
    store.begin(a_trial(0), {"after": 0}, MIXED_SPACE)
    server.stop()
    comes_back = threading.Timer(0.5, server.start)
    comes_back.start()
    WRITES[write](store)
    comes_back.join()
    trials, _ = store.read()
    assert [t.number for t in trials] == ([0, 1] if write == "begin" else [0])
    if write == "close_trial":
        assert trials[0].state is State.COMPLETED


@pytest.mark.medium
def test_a_server_that_stays_away_is_an_error_that_says_what_to_do(store, stopped, monkeypatch):
    monkeypatch.setattr(database, "RECONNECT_SECONDS", 0.5)
    begun = time.monotonic()
    with pytest.raises(StudyError) as error:
        store.begin(a_trial(0), None, MIXED_SPACE)
    assert time.monotonic() - begun < 10
    assert "could not be reached again within 0.5 s" in str(error.value)
    assert "the same command goes on where it was" in str(error.value)
    assert PASSWORD not in str(error.value) and "\n" not in str(error.value)


@pytest.mark.medium
def test_before_the_search_has_begun_nothing_is_waited_for(where, server):
    made = Store.of(*where, exclusive=True)
    server.stop()
    begun = time.monotonic()
    with pytest.raises(StudyError, match="could not be used"):
        made.create(DEFINITION)
    assert time.monotonic() - begun < 10
    server.start()
    made.close()


@pytest.mark.medium
def test_what_was_committed_when_the_connection_broke_is_not_done_twice(store, server, monkeypatch):
    """The server dies after a transaction and before it has said so: the worst moment there is."""
    store.begin(a_trial(0), 0, MIXED_SPACE)
    for name, write in {
        "add": WRITES["begin"],
        "close": WRITES["close_trial"],
    }.items():
        genuine, calls = getattr(store._trial_rows, name), []

        def dying(*arguments, genuine=genuine, calls=calls):
            done = genuine(*arguments)
            if not calls:
                calls.append(arguments)
                server.stop()
                server.start()
                return genuine(*arguments)  # over the broken connection
            return done

        with monkeypatch.context() as patch:
            patch.setattr(store._trial_rows, name, dying)
            write(store)
        assert calls
    trials, _ = store.read()
    assert [t.number for t in trials] == [0, 1]
    assert [t.state.name for t in store._storage.get_all_trials(store._id)] == ["COMPLETE", "RUNNING"]


@pytest.mark.medium
def test_a_driver_that_lost_its_connection_to_another_one_writes_nothing_more(store, where, server):
    store.begin(a_trial(0), 0, MIXED_SPACE)
    _break_connections(server, where)
    other = Store.of(*where, exclusive=True)
    with pytest.raises(StudyError, match="is being searched by process"):
        store.save(a_trial(0, compiled=True))
    other.claim()
    with pytest.raises(StudyError, match=f"is being searched by process {os.getpid()} on "):
        store.save(a_trial(0, compiled=True))
    other.close()
    with pytest.raises(StudyError, match="has been taken up by process .* while the database could not be reached"):
        store.save(a_trial(0, compiled=True))
    assert Store.of(*where).read()[0] == [a_trial(0)]


@pytest.mark.medium
def test_a_study_that_was_deleted_meanwhile_is_not_written_to(store, where, server):
    _break_connections(server, where)
    other = Store.of(*where, exclusive=True)
    other.delete()
    other.close()
    with pytest.raises(StudyError, match="has been deleted while"):
        store.begin(a_trial(0), 0, MIXED_SPACE)


def _break_connections(server, where):
    import sqlalchemy

    engine = sqlalchemy.create_engine(where[1].replace("postgresql:", "postgresql+psycopg:"))
    with engine.connect() as connection:
        connection.exec_driver_sql("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")
    engine.dispose()
    time.sleep(0.1)


# Passwords ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["password", "port", "database"])
def test_no_error_shows_the_password(fault, server, tmp_path):
    url = {
        "password": server.url(password="wr0ng%40pass"),
        "port": server.url(port=9),
        "database": server.url().replace("/postgres", "/absent"),
    }[fault]
    with pytest.raises(StudyError) as error:
        tuning.search(CURVE, engine="random", trials=1, epochs=1, storage=url, logs=tmp_path)
    text = str(error.value)
    assert "tester:***@127.0.0.1" in text and "could not be opened" in text and "\n" not in text
    for secret in ("wr0ng", PASSWORD, PASSWORD.replace("%2F", "/")):
        assert secret not in text
    assert not list(tmp_path.iterdir())


@pytest.mark.medium
def test_nothing_that_is_written_holds_the_password(server, tmp_path):
    study = tuning.search(
        CURVE, engine="random", trials=2, epochs=2, storage=server.url(), logs=tmp_path, study="secretive", workers=2
    )
    assert len(study.trials) == 2
    secrets = [PASSWORD.encode(), PASSWORD.replace("%2F", "/").encode()]
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files and not [path for path in files if any(secret in path.read_bytes() for secret in secrets)]
    with Store.of(tmp_path / "secretive", server.url())._database.engine.connect() as connection:
        for table in ("studies", "study_user_attributes", "study_system_attributes", "trial_user_attributes"):
            rows = connection.exec_driver_sql(f"SELECT * FROM {table}").all()
            assert not any(secret.decode() in str(rows) for secret in secrets)


def test_without_psycopg_the_error_names_the_extra(monkeypatch, tmp_path):
    import sys

    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(StudyError, match=r"pip install 'keras-tuning\[postgresql\]'"):
        Store.of(tmp_path / "study", "postgresql://me:s3cret@host/db", exclusive=True)
