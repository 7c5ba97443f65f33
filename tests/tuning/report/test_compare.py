"""Studies side by side: lines, medians over seeds, and what differs."""

import json
import re

import pytest
from rich.console import Console

from tests.tuning.report.studies import NASTY, dressed, hostile, trial
from tests.tuning.report.test_page import data_of, parsed, words_of
from tuning.cli.compare import _parts
from tuning.errors import StudyError
from tuning.records.objective import Objective
from tuning.report import compare, write_comparison
from tuning.report.groups import grouped, merged, side_by_side, steps
from tuning.study import Study


def named(made, name, scores, **changes):
    study = dressed(made, [trial(n, "adam", score) for n, score in enumerate(scores)], **changes)
    study.path = study.path.parent / name
    return study


@pytest.fixture
def studies(made):
    return [
        named(made, "a-1", [0.5, 0.4, 0.45], seed=1),
        named(made, "a-2", [0.9, 0.2, 0.3], seed=2),
        named(made, "a-3", [0.6, 0.7, 0.3], seed=3),
        named(made, "b", [0.8, 0.35, 0.6], engine="optuna"),
    ]


def test_studies_that_differ_by_their_seeds_are_one_line(studies):
    groups = grouped(studies)
    assert [group.name for group in groups] == ["a (3 seeds)", "b"]
    assert groups[0].scores == [0.4, 0.2, 0.3] and groups[0].score == 0.3
    assert groups[0].curve(in_seconds=False) == [(3, 0.6, 0.5, 0.9), (6, 0.4, 0.2, 0.6), (9, 0.3, 0.2, 0.4)]
    assert groups[0].curve(in_seconds=True)[0][0] == 90.0
    assert groups[1].needed(0.6) == 6 and groups[1].needed(0.1) is None


def test_steps_are_improvements_and_the_end(studies, made):
    assert steps(studies[0], in_seconds=False) == [(3, 0.5), (6, 0.4), (9, 0.4)]
    assert steps(named(made, "none", []), in_seconds=False) == []


def test_lines_begin_where_all_seeds_have_a_score():
    assert merged([[(1, 5.0), (4, 1.0)], [(3, 7.0)]]) == [(3, 6.0, 5.0, 7.0), (4, 4.0, 1.0, 7.0)]
    assert merged([[(1, 5.0)], []]) == []


def test_what_differs_is_marked(studies):
    rows = {name: differs for name, _, differs in side_by_side(grouped(studies))}
    assert rows["engine"] and rows["seed"] and not rows["space"] and not rows["optimizer"]


def test_the_page_says_what_was_found(studies, tmp_path):
    page = write_comparison(studies, tmp_path / "compare.html").read_text("utf-8")
    text, drawn = words_of(page), data_of(page)["figures"]
    assert "a (3 seeds) has the best val_loss, the median of 3 seeds, 0.3000, -0.05 under b" in text
    assert "b needed 6 epochs to come to 0.3500, a (3 seeds) 9" in text
    assert set(drawn) == {"epochs", "seconds"}
    assert [mark["kind"] for mark in drawn["epochs"]["marks"]] == ["band", "line", "line"]
    parser = parsed(page)
    assert set(parser.loads) == {"data:,"} and not parser.handlers and parser.tags.count("script") == 2


def test_names_are_no_markup(made):
    study = hostile(made)
    study.path = study.path.parent / NASTY.replace("/", "")
    page = compare.html(grouped([study]))
    assert "<b>bold" not in page and "<img" not in page and "&lt;img" in page


def test_studies_of_different_objectives_are_refused(studies, made):
    other = named(made, "c", [1.0], objective=Objective("val_accuracy", "max"))
    with pytest.raises(StudyError, match="same objective to be compared, but got 'val_loss:min, val_accuracy:max"):
        grouped([*studies, other])
    with pytest.raises(StudyError, match="be named once each"):
        grouped([studies[0], studies[0]])


def test_studies_without_a_score_are_compared_too(made):
    page = compare.html(grouped([named(made, "a", []), named(made, "b", [], engine="optuna")]))
    assert "no study has a trial with a score" in page


@pytest.mark.medium
def test_the_command_prints_and_writes(tune_here, made, tmp_path):
    one = Study(made.path)
    done = tune_here("compare", one.path, "--out", "c.html")
    assert done.returncode == 0, done.stderr
    assert re.search(r"formula-random +0\.\d+ +1 +8 ", done.stdout) and "page c.html" in done.stdout
    assert (tmp_path / "c.html").read_text("utf-8").startswith("<!DOCTYPE html>")
    record = json.loads(tune_here("compare", one.path, "--json").stdout)
    assert record["studies"][0]["best"] == one.best.score and record["studies"][0]["epochs_to_goal"] <= 32


def test_a_seed_that_is_there_already_is_no_further_seed(made):
    groups = grouped([named(made, name, [0.5], seed=1) for name in ("first", "again", "and-again")])
    assert [group.name for group in groups] == ["first", "again", "and-again"]


def test_lines_of_many_studies_look_different(made, tmp_path):
    studies = [named(made, f"study-{i}", [1.0 / (i + 1)], seed=1) for i in range(20)]
    drawn = data_of(write_comparison(studies, tmp_path / "c.html").read_text("utf-8"))["figures"]["epochs"]["marks"]
    assert len({mark["look"] for mark in drawn}) == 20


def test_names_that_differ_at_their_ends_are_told_apart(made):
    studies = [named(made, f"demo-fashion_mnist-optuna-{end}", [0.5], seed=1) for end in ("a", "b")]
    console = Console(width=100)
    with console.capture() as captured:
        for part in _parts(grouped(studies), 100):
            console.print(part)
    assert captured.get().count("optuna-a") == captured.get().count("optuna-b") == 1


def test_several_objectives_are_not_compared_without_a_word(made):
    both = (Objective("val_loss", "min"), Objective("n_params", "min"))
    (finding,) = compare._findings(grouped([named(made, "a", [0.5], several=both)]), None)[1:]
    assert finding == "val_loss alone is compared, not n_params"
