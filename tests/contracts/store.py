"""What the store must do in every kind of database. Its tests subclass `StoreContract` and give the database."""

import json
import math
import time
from dataclasses import fields, replace

import pytest

from tests.simulation import MIXED_SPACE
from tuning.errors import StudyError
from tuning.records.definition import Definition
from tuning.records.objective import Objective
from tuning.records.trial import Curve, Run, State, Training, Trial
from tuning.storage.store import Store

DEFINITION = Definition(
    "study",
    "space",
    "space.py",
    MIXED_SPACE,
    Objective("val_loss", "min"),
    "random",
    {"factor": 3, "beta": None},
    0,
    9,
    {"x": "float32 [3]"},
    {"batch_size": "32"},
)
VALUES = {
    "units": 64,
    "batch_size": 32,
    "learning_rate": 1e-3,
    "momentum": 0.30000000000000004,
    "bias": True,
    "optimizer": "sgd",
    "layers": 2,
    "clip": None,
    "version": 3,
    "nesterov": False,
    "ünïcode 'name'": 'naïve "text" 字',
}


def a_run(number=0, asked=0, **more):
    return Run(number, VALUES, 0, 9, note={"id": "0000", "nested": [1, {"a": None}]}, asked=asked, **more)


def a_trial(number=0, **more):
    return Trial(number, VALUES, **{"runs": (a_run(number, asked=2 * number),), "started_at": 1.5, **more})


def scored(score, *epochs):
    return (Training(Curve(epochs), score),)


FULL = a_trial(
    0,
    state=State.FAILED,
    trainings=(
        Training(
            Curve(
                (
                    {"loss": 0.1, "val_loss": math.inf},
                    {"loss": 1 / 3, "val_loss": -math.inf},
                    {"loss": 5e-324, "val_loss": math.nan},
                )
            ),
            0.1 + 0.2,
            best_epoch=2,
            seconds=12.5,
            checkpoint=3,
            lost=1,
            untils=(3, 9),
        ),
        Training(),
    ),
    scoring="own",
    counted=((0, 0.5), None),
    joint=Training(Curve(({"loss": 1 / 3, "val_loss": math.inf},)), 0.1 + 0.2, 0, 1.5),
    error="ValueError: 'quoted' and \x00 and 字",
    traceback="Traceback\n  line\n" * 5000,
    compiled=False,
    compiled_reason="turned off",
    runs=(a_run(asked=0, ended=1, until=3), a_run(asked=2, ended=5, until=9)),
    found=({"name": "late", "kind": "float", "default": 0.5, "low": 0.0, "high": 1.0},),
    started_at=1_790_000_000.123456,
    ended_at=1_790_000_001.5,
    scores=(0.1 + 0.2, None),
    resources={"n_params": 12, "predict_ms": 0.1},
)

DERIVED = ("limited", "is_feasible")
"""What a trial is told from its other fields and the study's constraints."""


class StoreContract:
    """Subclass it with a fixture `where`: a new folder and the URL of a database (None for the file in the folder)."""

    @pytest.fixture
    def open_store(self, where):
        opened = []

        def opening(exclusive=True):
            opened.append(Store.of(*where, exclusive=exclusive))
            return opened[-1]

        yield opening
        for store in opened:
            store.close()

    @pytest.fixture
    def store(self, open_store):
        made = open_store()
        made.create(DEFINITION)
        made.claim()
        return made

    def test_a_definition_is_read_back(self, store, open_store):
        assert store.definition() == DEFINITION
        assert open_store(exclusive=False).definition() == DEFINITION

    def test_a_database_without_the_study_has_no_definition(self, open_store):
        store = open_store()
        assert store.definition() is None
        with pytest.raises(StudyError, match="has no study"):
            store.read()

    def test_every_field_of_a_trial_is_read_back(self, store, open_store):
        stored = [f.name for f in fields(Trial) if f.name not in DERIVED]
        assert all(getattr(FULL, name) != getattr(Trial(1, {}), name) for name in stored), "no field is left out"
        store.begin(replace(FULL, state=State.RUNNING), {"seed": 1}, MIXED_SPACE)
        store.close_trial(FULL)
        (read,), state = open_store(exclusive=False).read()
        assert repr(read) == repr(FULL) and math.isnan(read.trainings[0].curve.values("val_loss")[2])
        assert replace(read, trainings=()) == replace(FULL, trainings=()) and state == {"seed": 1}

    def test_what_is_read_is_by_value(self, store):
        state = {"list": [1]}
        store.begin(a_trial(), state, MIXED_SPACE)
        state["list"].append(2)
        first, _ = store.read()
        first[0].values["units"] = 1
        assert store.read() == ([a_trial()], {"list": [1]})

    def test_what_was_read_is_given_out_again_until_something_is_written(self, store):
        store.begin(a_trial(), 0, MIXED_SPACE)
        saved = a_trial(compiled=True)
        ended = a_trial(state=State.COMPLETED, trainings=scored(1.0))
        assert store.trials() == [a_trial()]
        for write, trials in (
            (lambda: store.save(saved), [saved]),
            (lambda: store.close_trial(ended), [ended]),
            (lambda: store.begin(a_trial(1), 1, MIXED_SPACE), [ended, a_trial(1)]),
            (lambda: store.begin(a_trial(), 2, MIXED_SPACE), [a_trial(), a_trial(1)]),
            (lambda: store.remove(a_trial(1)), [a_trial()]),
        ):
            before, _ = store.read()
            assert store.trials() is before
            write()
            assert store.trials() == trials

    def test_trials_are_read_by_number_with_the_state_after_the_last_proposal(self, store):
        for number in range(12):
            store.begin(a_trial(number), {"after": number}, MIXED_SPACE)
        store.save(a_trial(3, compiled=True))
        store.close_trial(a_trial(5, state=State.COMPLETED, trainings=scored(1.0)))
        trials, state = store.read()
        assert [t.number for t in trials] == list(range(12)) and state == {"after": 11}
        again = a_trial(5, runs=(a_run(5, 10), a_run(5, 99)))
        store.begin(again, {"after": "again"}, MIXED_SPACE)
        trials, state = store.read()
        assert state == {"after": "again"} and trials[5] == again

    def test_a_closed_trial_can_go_on(self, store, open_store):
        store.begin(a_trial(), 1, MIXED_SPACE)
        store.close_trial(a_trial(state=State.COMPLETED, trainings=scored(1.0)))
        store.begin(a_trial(), 2, MIXED_SPACE)
        (row,) = store._storage.get_all_trials(store._id)
        assert row.state.name == "RUNNING" and row.datetime_complete is None
        store.save(a_trial(compiled=False))
        store.report(a_trial(trainings=scored(None, {"val_loss": 3.0})), 3.0)
        store.close_trial(a_trial(state=State.PRUNED, trainings=scored(0.5)))
        assert open_store(exclusive=False).read() == ([a_trial(state=State.PRUNED, trainings=scored(0.5))], 2)

    def test_a_removed_trial_is_gone_and_its_number_is_free(self, store, open_store):
        for number in range(3):
            store.begin(a_trial(number), number, MIXED_SPACE)
            store.report(a_trial(number, trainings=scored(None, {"val_loss": 1.0})), 1.0)
        for number in (0, 2):
            store.remove(a_trial(number))
        store.begin(a_trial(2), "again", MIXED_SPACE)
        trials, state = open_store(exclusive=False).read()
        assert trials == [a_trial(1), a_trial(2)] and state == "again"
        assert [bool(row.intermediate_values) for row in store._storage.get_all_trials(store._id)] == [True, False]

    def test_rows_are_those_of_optuna(self, store):
        states = {State.COMPLETED: "COMPLETE", State.PRUNED: "PRUNED", State.FAILED: "FAIL"}
        for number, state in enumerate(states):
            store.begin(a_trial(number), None, MIXED_SPACE)
            epochs = []
            for value in (2.0, math.nan, math.inf, 1.0):
                epochs.append({"val_loss": value})
                store.report(a_trial(number, trainings=scored(1.0, *epochs)), value)
            store.report(a_trial(number, trainings=scored(1.0, *epochs)), 0.5)  # told again, after a restart
            store.close_trial(a_trial(number, state=state, trainings=scored(1.0, *epochs)))
        store.begin(a_trial(3), None, MIXED_SPACE)
        theirs = store._storage.get_all_trials(store._id)
        assert [t.state.name for t in theirs] == [*states.values(), "RUNNING"]
        assert [t.value for t in theirs] == [1.0, 1.0, None, None]
        assert theirs[0].params["optimizer"] == "sgd" and theirs[0].params["layers"] == 1
        assert repr(theirs[0].intermediate_values) == "{0: 2.0, 1: nan, 2: inf, 3: 0.5}"

    def test_optuna_knows_what_keeps_its_constraints(self, store):
        for number, beyond in enumerate([(0.5, -1.0), (-0.5, 0.0), (None, 2.0), ()]):
            store.begin(a_trial(number), None, MIXED_SPACE)
            for _ in range(2):  # again, as after a connection that broke
                closed = a_trial(number, state=State.COMPLETED, trainings=scored(float(number)))
                store.close_trial(closed, beyond)
        theirs = store._storage.get_all_trials(store._id)
        limits = [t.system_attrs.get("constraints") for t in theirs]
        assert limits == [[0.5, -1.0], [-0.5, 0.0], [0.0, 2.0], None]

    @pytest.mark.parametrize("last", ["trial_params", "trial_values"])
    def test_a_kill_within_an_event_leaves_nothing_of_it(self, store, open_store, last):
        """Events write several tables; the process dies before the last of them."""
        import sqlalchemy

        class Killed(Exception):
            pass

        def die(connection, cursor, statement, *_):
            if statement.startswith(f"INSERT INTO {last} "):
                raise Killed

        store.begin(a_trial(), {"after": 0}, MIXED_SPACE)
        events = {
            "trial_values": lambda: store.close_trial(a_trial(state=State.COMPLETED, trainings=scored(1.0))),
            "trial_params": lambda: store.begin(a_trial(1), {"after": 1}, MIXED_SPACE),
        }
        engine = store._database.engine
        sqlalchemy.event.listen(engine, "before_cursor_execute", die)
        with pytest.raises(Killed):
            events[last]()
        sqlalchemy.event.remove(engine, "before_cursor_execute", die)
        assert [t.state.name for t in store._storage.get_all_trials(store._id)] == ["RUNNING"]
        store.close()
        assert open_store().read() == ([a_trial()], {"after": 0})

    def test_a_trial_that_another_program_has_deleted_is_an_error(self, store):
        import sqlalchemy

        store.begin(a_trial(), None, MIXED_SPACE)
        with store._database.engine.begin() as connection:
            connection.execute(sqlalchemy.text("DELETE FROM trial_user_attributes"))
        for write in (store.save, store.close_trial):
            with pytest.raises(StudyError, match="another program has deleted it"):
                write(a_trial(state=State.FAILED))

    def test_a_trial_is_begun_once_even_if_the_answer_was_lost(self, store, monkeypatch):
        store.begin(a_trial(), None, MIXED_SPACE)
        with monkeypatch.context() as patch:  # the first time it is done, and nobody hears of it
            patch.setattr(store, "_do", lambda action: (action(), action())[1])
            store.begin(a_trial(1), None, MIXED_SPACE)
        store.begin(a_trial(2), None, MIXED_SPACE)
        assert [t.number for t in store.read()[0]] == [0, 1, 2]
        assert [t.number for t in store._storage.get_all_trials(store._id)] == [0, 1, 2]

    def test_a_study_that_a_kill_left_half_made_is_made_again(self, open_store, monkeypatch):
        class Killed(BaseException):
            pass

        def die(*_):
            raise Killed

        store = open_store()
        with monkeypatch.context() as patch:
            patch.setattr(store._storage, "set_study_user_attr", die)
            with pytest.raises(Killed):
                store.create(DEFINITION)
        store.close()
        other_way = replace(DEFINITION, objective=Objective("val_loss", "max"))
        again = open_store()
        assert again.definition() is None
        again.create(other_way)
        assert again.definition() == other_way
        assert [d.name for d in again._storage.get_study_directions(again._id)] == ["MAXIMIZE"]

    def test_a_study_of_another_program_is_left_alone(self, open_store, where):
        import optuna

        store = open_store()
        theirs = optuna.create_study(study_name=where[0].name, storage=store._storage)
        theirs.add_trial(optuna.trial.create_trial(value=1.0))
        assert store.definition() is None
        with pytest.raises(StudyError, match="that another program has made"):
            store.create(DEFINITION)
        assert len(theirs.trials) == 1

    def test_a_deleted_study_is_gone_and_others_stay(self, store, where):
        store.begin(a_trial(), None, MIXED_SPACE)
        store._storage.create_new_study([1], "other")
        store.delete()
        assert store.definition() is None
        store.delete()
        names = [s.study_name for s in store._storage.get_all_studies()]
        assert "other" in names and where[0].name not in names

    def test_a_study_is_read_while_its_driver_writes(self, store, open_store):
        reader = open_store(exclusive=False)
        for number in range(3):
            store.begin(a_trial(number), number, MIXED_SPACE)
            assert [t.number for t in reader.read()[0]] == list(range(number + 1))

    @pytest.mark.slow
    def test_a_thousand_trials(self, store, open_store):
        seconds, epochs = [], 9 * ({"loss": 1.0},)
        for number in range(1000):
            begun = time.perf_counter()
            store.begin(a_trial(number), {"seed_state": number}, ())
            store.close_trial(a_trial(number, state=State.COMPLETED, trainings=scored(float(number), *epochs)))
            seconds.append(time.perf_counter() - begun)
        early, late = sorted(seconds[:200])[100], sorted(seconds[-200:])[100]
        assert late < 3 * early, "the thousandth trial costs what the first does"
        begun = time.perf_counter()
        trials, state = open_store(exclusive=False).read()
        assert time.perf_counter() - begun < 2
        assert [t.score for t in trials] == list(map(float, range(1000))) and state == {"seed_state": 999}

    def test_records_are_json_that_others_can_read(self, store):
        store.begin(replace(FULL, state=State.RUNNING), None, MIXED_SPACE)
        (attribute,) = store._storage.get_all_trials(store._id)[0].user_attrs.values()
        json.dumps(attribute, allow_nan=False)
