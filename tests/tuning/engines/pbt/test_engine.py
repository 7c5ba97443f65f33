"""Population based training: who goes on from whom, and that nothing depends on when a search was cut."""

import itertools
import random

import pytest

from tests.contracts.engine import EngineContract
from tests.simulation import OBJECTIVE, Simulation, proposals, score_of
from tuning.engines.base import Done, Wait
from tuning.engines.pbt.engine import changed
from tuning.engines.registry import make_engine, read_options, settle
from tuning.errors import OptionError
from tuning.hyperparameters import Boolean, Choice, Condition, Fixed, Float, Int
from tuning.records.definition import Definition
from tuning.records.schedule import changed_values, schedule_of
from tuning.records.trial import State

SPACE = (
    Int("units", 64, low=16, high=256, step=16),
    Float("rate", 1e-2, low=1e-4, high=1.0, sampling="log"),
    Float("dropout", 0.1, low=0.0, high=0.5, step=0.1),
    Int("batch_size", 32, low=8, high=128, step=2, sampling="log"),
    Boolean("nesterov", False),
    Choice("optimizer", "sgd", choices=("sgd", "adam")),
    Float("momentum", 0.5, low=0.1, high=0.9, conditions=(Condition("optimizer", ("sgd",)),)),
)
CHANGE = ["rate", "dropout", "batch_size", "momentum"]


class TestContract(EngineContract):
    """Twelve runs of four members: three generations."""

    name = "pbt"
    options = {"population": 4, "ready": 3, "change": ["learning_rate", "momentum", "batch_size"]}
    limit, length = None, 12

    # A population is of one size and architecture, its members may be equal, and their number is no limit.
    test_the_limit_counts_trials = None
    test_a_small_space_is_exhausted_without_duplicates = None
    test_hyperparameters_that_turn_up_later_are_searched = None
    test_failed_trials_do_not_stop_it = None


def settled(seed=0, epochs=9, space=SPACE, patience=None, **options):
    given = {"change": CHANGE, "population": 8, "ready": 3, **options}
    fit = {} if patience is None else {"patience": patience}
    read = read_options("pbt", given)
    return settle(Definition("s", "s", None, tuple(space), OBJECTIVE, "pbt", read, seed, epochs, fit=fit), {})


def engine(seed=0, limit=None, **options):
    return make_engine(settled(seed, **options), limit)


def straight(seed=0):
    return Simulation(engine(seed)).go(200)


def essence(simulation):
    return [(run.number, run.source, run.values, run.start, run.stop) for run in simulation.runs]


def test_members_are_trials_that_train_side_by_side():
    simulation = straight()
    assert len(simulation.trials) == 8 and simulation.done == Done()
    assert [r.number for r in simulation.runs[:8]] == list(range(8))
    for trial in simulation.trials.values():
        assert [(r.start, r.stop) for r in trial.runs] == [(0, 3), (3, 6), (6, 9)]
        assert trial.state is State.COMPLETED and trial.epochs == 9
        for run in trial.runs:
            assert all(h.contains(run.values[h.name]) for h in SPACE)
            assert {name: run.values[name] for name in ("units", "nesterov", "optimizer")} == {
                "units": 64, "nesterov": False, "optimizer": "sgd",
            }, "one architecture"  # fmt: skip
    assert len({tuple(t.runs[0].values.items()) for t in simulation.trials.values()}) == 8


def test_the_worst_quarter_takes_over_from_the_best_before_they_go_on():
    simulation = straight()
    for generation in (1, 2):
        order = sorted(simulation.trials, key=lambda n: -simulation.trials[n].curve.values("score")[3 * generation - 1])
        runs = simulation.runs[8 * generation : 8 * generation + 8]
        taking = [run for run in runs if run.source is not None]
        assert runs[:2] == taking and {r.number for r in taking} == set(order[-2:])
        for run in taking:
            assert run.source in order[:2]
            theirs = simulation.trials[run.source].runs[generation - 1].values
            different = {name for name in theirs if theirs[name] != run.values[name]}
            assert different and different <= set(CHANGE)
        for run in runs[2:]:
            assert run.values == simulation.trials[run.number].runs[generation - 1].values


def test_it_waits_until_all_have_come_as_far():
    made = engine()
    simulation = Simulation(made)
    runs = [simulation.ask() for _ in range(8)]
    assert simulation.ask() is None and simulation.done == Wait()
    for run in reversed(runs[1:]):
        simulation.train(run)
        assert isinstance(made.ask(), Wait) and made.may_continue(run.number)
    simulation.train(runs[0])
    simulation.go(200)
    assert proposals(simulation.runs) == proposals(straight().runs), "in whatever order they ended"


@pytest.mark.parametrize("cut", range(0, 25, 3))
def test_cut_anywhere_it_goes_on_as_if_nothing_had_happened(cut):
    expected = essence(straight())
    assert essence(Simulation(engine()).go(cut).resumed_on(engine()).go(200)) == expected
    killed = Simulation(engine()).go(cut)
    run = killed.ask()
    resumed = killed.resumed_on(engine())
    if run is not None:
        resumed.train(run)
    assert essence(resumed.go(200)) == expected


def test_seeds_and_folds():
    assert proposals(straight(0).runs) != proposals(straight(1).runs)
    folds = Simulation(engine(), n_trainings=2).go(200)
    assert proposals(folds.runs) == proposals(straight().runs)


@pytest.mark.parametrize("n_failing", [1, 3, 8])
def test_members_that_failed_are_out_and_the_others_go_on(n_failing):
    values = [dict(r.values) for r in straight().runs[:8]]
    simulation = Simulation(engine(), fails=lambda v: dict(v) in values[:n_failing]).go(200)
    failed = [t for t in simulation.trials.values() if t.state is State.FAILED]
    assert len(failed) == n_failing and simulation.done == Done()
    assert all(len(t.runs) == 3 for t in simulation.trials.values() if t not in failed)
    assert not any(simulation.engine.may_continue(n) for n in simulation.trials)
    for cut in (9, 10, 12):
        fails = simulation._fails
        again = Simulation(engine(), fails=fails).go(cut).resumed_on(engine()).go(200)
        assert proposals(again.runs) == proposals(simulation.runs)


def test_one_that_fails_first_in_a_generation_does_not_end_it():
    first = straight().runs[8]
    fails = lambda values: dict(values) == dict(first.values)  # noqa: E731
    simulation = Simulation(engine(), fails=fails).go(9).resumed_on(engine()).go(200)
    assert sum(len(t.runs) == 3 for t in simulation.trials.values()) == 7


def test_the_schedule_has_the_pieces_of_those_that_were_taken_over():
    simulation = straight()
    trials = list(simulation.trials.values())
    taken = next(t for t in trials if t.runs[2].source is not None)
    source = simulation.trials[taken.runs[2].source]
    pieces = schedule_of(taken, trials)
    assert [(p.start, p.stop) for p in pieces][0][0] == 0 and pieces[-1].stop == 9
    assert pieces[-1].values == taken.runs[2].values
    assert pieces[:-1] == schedule_of(source, trials, 6)
    assert all(a.stop == b.start for a, b in itertools.pairwise(pieces))
    assert schedule_of(taken, trials, 2)[-1].stop == 2
    assert set(changed_values(pieces)) <= set(CHANGE) and changed_values(pieces[:1]) == {}


@pytest.mark.parametrize("h", [h for h in SPACE if not h.is_fixed], ids=lambda h: h.name)
def test_a_value_is_changed_to_another_legal_one(h):
    draws = random.Random(0)
    for value in [h.default, h.from_unit(0.0) if h.is_ordered else h.default, h.drawn(draws)]:
        for _ in range(5):
            other = changed(h, value, draws)
            assert h.contains(other) and other != value
    assert changed(Choice("one", 1, choices=(1,), ordered=True), 1, draws) == 1


def test_configurations_to_try_are_members():
    definition = settled()
    made = make_engine(settle(definition, {}), 8)
    run = made.begin_with({"rate": 0.5, "units": 128})
    assert run.number == 0 and run.values["rate"] == 0.5 and run.values["units"] == 64


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"change": []}, "`space` must have something that may change"),
        ({"change": None}, "`space` must have something that may change"),
        ({"change": "optimizer"}, "hyperparameters that others do not depend on"),
        ({"change": "rat"}, "Did you mean 'rate'"),
        ({"ready": 9}, "`ready` must be less than the 9 epochs"),
        ({"patience": 2}, "`patience` must be 0 with engine pbt"),
        ({"space": (*SPACE[1:], Fixed("units", 3)), "change": "units"}, "hyperparameters that others do not depend on"),
    ],
)
def test_what_is_refused(options, error):
    with pytest.raises(OptionError, match=error):
        settled(**options)


def test_the_number_of_trials_is_the_population():
    with pytest.raises(OptionError, match="`trials` must be 8, the population"):
        engine(limit=9)
    assert Simulation(engine(limit=8)).go(200).done == Done()
    assert settled(ready=None, epochs=25).options["ready"] == 3


def test_it_looks_at_the_last_epoch():
    simulation = straight()
    assert all(
        t.curve.values("score")[-1] == score_of(t.run.values, 8) for t in simulation.trials.values() if t.epochs == 9
    )
