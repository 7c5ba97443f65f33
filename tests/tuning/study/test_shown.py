"""A study shows itself: at a prompt, printed, and in a notebook."""

import re
import xml.etree.ElementTree as ElementTree

import pytest

import tuning
from tests.golden.studies import formula
from tuning.errors import OptionError


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return tuning.search(
        formula.__file__, engine="random", trials=12, epochs=2, seed=3, study="s", verbose=0,
        logs=tmp_path_factory.mktemp("l"),
    )  # fmt: skip


def test_a_study_is_one_screen_at_a_prompt(study):
    lines = repr(study).splitlines()
    assert (
        4 <= len(lines) <= 10 and lines[0].startswith("study s: random on ") and "12 trials: 12 completed" in lines[1]
    )
    assert lines[2].startswith(f"best: trial {study.best.number}, val_loss ")
    for name, value in study.best.values.items():
        assert f"{name}={value:.4g}" in lines[2] if isinstance(value, float) else f"{name}={value}" in lines[2]


def test_a_summary_is_shown_and_printed_alike(study):
    assert str(study.summary(5)) == repr(study.summary(5)) and len(study.summary(5).splitlines()) == 9
    with pytest.raises(OptionError, match="`top` must be a whole number >= 1"):
        study.summary(0)


def test_the_space_is_told_line_by_line(study):
    text = study.space_summary()
    for h in study.definition.hyperparameters:
        assert re.search(rf"^  {h.name} +.*{re.escape(h.describe())}; default", text, re.MULTILINE)


def test_a_notebook_shows_the_best_a_history_and_a_table(study):
    html = study._repr_html_()
    tree = ElementTree.fromstring(html.replace("&nbsp;", " "))
    rows = tree.findall(".//tbody/tr")
    assert len(rows) == 10 and "and 2 more" in html
    assert rows[0][0].text == str(study.best.number) and rows[0][1].text == f"{study.best.score:.4f}"
    assert len(tree.findall(".//circle")) == 12
    ends = [float(point.split(",")[1]) for point in tree.find(".//polyline").get("points").split()]
    assert ends == sorted(ends, reverse=True) or ends == sorted(ends), "the best so far only ever gets better"


def test_what_a_study_holds_is_no_markup(study):
    from dataclasses import replace

    changed = tuning.load(study.path)
    changed.trials = [replace(t, values={"<script>": "<b>"}) for t in changed.trials]
    assert "<script>" not in changed._repr_html_() and "&lt;script&gt;" in changed._repr_html_()


def test_what_a_study_holds_steers_no_terminal(study):
    from dataclasses import replace

    changed = tuning.load(study.path)
    changed.trials = [replace(t, values={"a\x1b[2J": "\ud800"}) for t in changed.trials]
    for text in (repr(changed), changed.summary()):
        assert "\x1b" not in text and "a\\x1b[2J=\\ud800" in text


def test_a_study_without_scores_shows_itself(study):
    empty = tuning.load(study.path)
    empty.trials = []
    assert "none yet" in repr(empty) and "none yet" in empty._repr_html_() and "<svg" not in empty._repr_html_()
