"""The pictures: what is drawn, and where."""

from dataclasses import replace

import pytest

from tests.tuning.report.studies import divided, dressed, of_two_objectives, trained, trial, usual
from tuning.hyperparameters import Choice, Condition, Int
from tuning.records.objective import Objective
from tuning.records.trial import State
from tuning.report import axes, figures
from tuning.report.figures import Drawn


@pytest.fixture(scope="module")
def drawn(made):
    return Drawn(usual(made))


def marks(figure):
    return {mark.get("name", mark["kind"]): mark for mark in figure["marks"]}


def test_history_has_every_score_and_the_best_so_far(drawn):
    found = marks(figures.history(drawn))
    assert set(found) == {"completed", "pruned", "failed", "best so far"}
    assert found["completed"]["trial"] == list(range(24)) and found["pruned"]["y"] == [0.4]
    assert found["failed"]["x"] == [24] and found["failed"]["y"] == [None], "at the edge, for it has no score"
    assert found["best so far"]["x"] == [0, 3, 6, 9, 12, 15, 18, 21, 26]


@pytest.mark.parametrize("direction", ["min", "max"])
def test_failed_trials_stand_where_scores_are_worse_which_is_said(made, direction):
    trials = [trial(0, "adam", 0.5), trial(1, "adam", None, state=State.FAILED, error="OOM")]
    figure = figures.history(Drawn(dressed(made, trials, objective=Objective("val_loss", direction))))
    assert figure["y"].get("worse", False) == (direction == "min") and "Failed trials have no score" in figure["note"]


def test_where_nothing_can_be_drawn_there_is_no_picture(made):
    assert figures.history(Drawn(dressed(made, [trial(0, "sgd", None, state=State.RUNNING, ended_at=None)]))) is None


def test_what_breaks_a_constraint_has_a_shape_of_its_own_and_is_never_the_best(made):
    trials = [trial(n, "adam", 1.0 / (n + 1)) for n in range(5)]
    trials[4] = replace(trials[4], is_feasible=False, limited={"n_params": 9.0})
    found = marks(figures.history(Drawn(dressed(made, trials))))
    assert found["breaks a constraint"]["x"] == [4] and found["completed"]["x"] == [0, 1, 2, 3]
    assert found["best so far"]["y"][-1] == 0.25


def test_curves_have_training_and_validation_and_leave_out_what_cannot_be_drawn(drawn):
    figure = figures.curves(drawn)
    found = marks(figure)
    assert found["trial 21, training"]["look"] == "train" and found["trial 21, validation"]["look"] == "best"
    lines = {mark["trial"]: mark["y"] for mark in figure["marks"] if mark["kind"] == "line"}
    assert lines[25] == [0.4, None] and 24 not in lines
    assert found["end, pruned"]["trial"] == [25] and found["end, pruned"]["x"] == [0], "its last epoch with a value"


def test_parallel_coordinates_have_a_place_for_what_does_not_apply(drawn):
    figure = figures.parallel(drawn)
    titles = [axis["title"] for axis in figure["axes"]]
    assert sorted(titles) == ["bias", "layers", "momentum", "optimizer", "rate", "units", "val_loss"]
    axis = {title: (figure["axes"][i], i) for i, title in enumerate(titles)}
    assert axis["momentum"][0]["gap"] and "gap" not in axis["rate"][0] and axis["rate"][0]["scale"] == "log"
    assert axis["layers"][0]["labels"] == ["2", "4", "8"], "an ordered choice by its values"
    values = {t.number: t.values for t in drawn.study.trials}
    for number, line in zip(figure["trial"], figure["lines"], strict=True):
        assert (line[axis["momentum"][1]] is None) == ("momentum" not in values[number])
        place = line[axis["optimizer"][1]]
        assert round(place) == ("sgd", "adam").index(values[number]["optimizer"]) and abs(place - round(place)) < 0.3


def test_slices_are_in_the_order_of_importance_and_have_the_scale_of_the_hyperparameter(drawn):
    slices = {figure["x"]["title"]: figure for figure in figures.slices(drawn)}
    assert list(slices) == drawn.names and drawn.names[0] in ("rate", "layers"), "both follow the score"
    assert slices["rate"]["x"]["scale"] == "log" and slices["units"]["x"]["scale"] == "linear"
    assert len(slices["bias"]["x"]["labels"]) == 2, "although one of its values was never tried"
    assert sum(len(mark["x"]) for mark in slices["units"]["marks"]) == 25


def test_the_map_is_of_the_two_most_important(drawn):
    figure = figures.contour(drawn)
    assert [figure["x"]["title"], figure["y"]["title"]] == drawn.names[:2]
    cells = figure["marks"][0]
    assert all(
        0 <= row < cells["ny"] and 0 <= a < b <= cells["nx"] and 0 <= tone < 8 for row, a, b, tone in cells["cells"]
    )


def test_the_timeline_has_no_two_trials_at_one_place(drawn):
    spans = figures.timeline(drawn)["marks"][0]["spans"]
    by_lane = {}
    for start, end, lane, _, _ in sorted(spans):
        assert start >= by_lane.get(lane, 0)
        by_lane[lane] = end
    assert len(spans) == 27 and len(by_lane) == 2


@pytest.mark.parametrize(
    ("workers", "labels"),
    [
        (["a:10", "a:2", "a:2", None], ["2", "", "10", "not known"]),
        (["b:0", "a:0", "a:0", "b:0"], ["a:0", "", "b:0"]),
        (["x" * 30 + ":1", "y:0"], ["…" + "x" * 17 + ":1", "y:0"]),
    ],
)
def test_a_worker_has_a_row_and_what_it_has_at_the_same_time_stands_below(made, workers, labels):
    trials = [trial(k, "sgd", 1.0, trainings=(replace(trained(1.0), worker=w),)) for k, w in enumerate(workers)]
    figure = figures.timeline(Drawn(dressed(made, trials)))
    assert figure["y"]["title"] == "worker" and figure["y"]["labels"] == labels
    spans = figure["marks"][0]["spans"]
    assert sorted(number for *_, number in spans) == list(range(len(workers)))
    assert len({lane for _, _, lane, _, _ in spans}) == len(labels), "these trials overlap, each with the next"


def test_a_trial_of_folds_stands_in_the_row_of_each_worker_that_trained_it(made):
    parts = tuple(replace(trained(1.0), worker=worker, untils=(3,)) for worker in ("a:0", "a:1", "a:0"))
    trials = [trial(0, "sgd", None, trainings=parts, joint=trained(1.0))]
    spans = figures.timeline(Drawn(dressed(made, trials, cv={"folds": 3})))["marks"][0]["spans"]
    assert [(lane, number) for _, _, lane, _, number in spans] == [(0, 0), (1, 0)]


def test_the_pareto_set_is_named(made):
    drawn = Drawn(of_two_objectives(made))
    (figure,) = figures.pareto(drawn)
    found = {mark["kind"]: mark for mark in figure["marks"]}
    front = marks(figure)["Pareto set"]
    assert sorted(found["names"]["text"], key=int) == [str(n) for n in sorted(front["trial"])]
    assert {t.number for t in drawn.study.pareto} == set(front["trial"])
    assert len(marks(figure)["beaten"]["x"]) + len(front["x"]) == 20


def test_folds_have_a_point_each_and_their_spread(made):
    found = marks(figures.spread(Drawn(divided(made))))
    assert len(found["fold or repeat"]["x"]) == 36 and len(found["mean"]["x"]) == 6
    whiskers = found["± standard deviation"]
    assert all(
        low < mean < high for low, mean, high in zip(whiskers["low"], found["mean"]["y"], whiskers["high"], strict=True)
    )


def test_a_name_with_two_ranges_has_one_axis():
    same = [Int("units", 4, low=1, high=8, conditions=(Condition("k", ("a",)),)),
            Int("units", 64, low=32, high=128, conditions=(Condition("k", ("b",)),))]  # fmt: skip
    axis = axes.of_hyperparameter("units", same, [4, 64])
    assert (axis.low, axis.high, axis.has_gap) == (1, 128, False)


def test_a_choice_of_thousands_shows_what_was_tried():
    axis = axes.of_hyperparameter("k", [Choice("k", 0, choices=tuple(range(5000)))], [7, 4000, None])
    assert axis.labels == ("7", "4000") and axis.has_gap and axis.place(4000) == 1.0 and axis.place(None) is None


@pytest.mark.parametrize("direction", ["min", "max"])
def test_one_score_of_a_million_does_not_press_the_others_together(direction):
    sign = 1 if direction == "min" else -1
    axis, n_far = axes.of_scores(Objective("m", direction), [sign * (k / 10) for k in range(20)] + [sign * 1e6])
    assert n_far == 1 and axis.high - axis.low < 20


@pytest.mark.medium
def test_what_is_drawn_of_many_trials_has_the_best_ones(made):
    drawn = Drawn(dressed(made, [trial(n, "adam", 1.0 + (n * 7919) % 5000) for n in range(5000)]))
    assert len(drawn.trials) == figures.MAX_POINTS
    assert {t.number for t in drawn.ranked[: figures.MAX_BEST]} <= {t.number for t in drawn.trials}
