"""The report: one file that holds everything, for every state of a study, and that a browser draws."""

import html.parser
import json
import re
from dataclasses import replace

import pytest

import tuning
from tests import browser as browsers
from tests.conftest import SPACES
from tuning.errors import StudyError
from tuning.hyperparameters import Boolean, Choice, Condition, Fixed, Float, Int
from tuning.records.trial import Curve, State, Training, Trial
from tuning.report import figures, write_report
from tuning.report.page import MAX_ROWS
from tuning.report.page import html as page_of
from tuning.study import Study

SPACE = (
    Float("rate", 1e-3, low=1e-4, high=1e-1, sampling="log"),
    Int("units", 16, low=8, high=64),
    Choice("optimizer", "sgd", choices=("sgd", "adam")),
    Float("momentum", 0.5, low=0, high=1, conditions=(Condition("optimizer", ("sgd",)),)),
    Boolean("bias", True),
    Fixed("version", 3),
)
NASTY = "</script><script>alert('x')</script> & <b>bold</b>"


def trial(number, optimizer, score, **rest):
    values = {"rate": 10.0 ** -(1 + number % 3), "units": 8 + number % 57, "optimizer": optimizer, "bias": True}
    values |= {"momentum": 0.9} if optimizer == "sgd" else {}
    curve = Curve(tuple({"val_loss": score + 1 / (e + 1)} for e in range(3))) if score is not None else Curve()
    training = Training(curve, score, 2 if score is not None else None, 1.5)
    made = Trial(number, values, State.COMPLETED, (training,))
    return replace(made, **rest)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A small study of a formula, to be dressed up."""
    return tuning.search(
        str(SPACES / "curve.py"), engine="random", trials=2, epochs=2, seed=1, logs=tmp_path_factory.mktemp("logs")
    )


def dressed(made, trials, **changes):
    study = Study(made.path)
    study.definition = replace(study.definition, hyperparameters=SPACE, **changes)
    study.trials = trials
    return study


@pytest.fixture
def study(made):
    trials = [trial(n, "sgd" if n % 2 else "adam", 1 / (n + 1)) for n in range(8)]
    trials.append(trial(8, "sgd", None, state=State.FAILED, error=f"ValueError: {NASTY}", traceback=f"File {NASTY}"))
    trials.append(
        trial(
            9,
            "adam",
            0.4,
            state=State.PRUNED,
            trainings=(Training(Curve(({"val_loss": 0.4}, {"val_loss": float("inf")})), 0.4, 0),),
        )
    )
    return dressed(made, trials)


class Outside(html.parser.HTMLParser):
    """Collects what a page would load, and the names of its elements."""

    def __init__(self):
        super().__init__()
        self.loads, self.tags = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.loads += [(tag, value) for name, value in attrs if name in ("src", "href", "data", "action")]


def test_a_report_loads_nothing(study):
    parser = Outside()
    parser.feed(page_of(study))
    assert parser.loads == [] and "link" not in parser.tags and "iframe" not in parser.tags
    assert parser.tags.count("script") == 2, "plotly.js and the pictures; nothing that a trial said"
    assert len(page_of(study)) < 6_000_000


def test_a_report_says_what_there_is_to_say(study):
    text = re.sub(r"<script>.*?</script>", "", page_of(study), flags=re.DOTALL)
    for words in (
        study.name, "0.1250", "best val_loss, trial 7", "8 completed, 1 pruned, 1 failed",
        "ValueError: &lt;/script&gt;", "traceback of trial 8", "tune finalize", "tune baseline", "--seed 1",
        "0.0001 .. 0.1 (log)", "crc32",
    ):  # fmt: skip
        assert words in text, words
    assert "<b>bold</b>" not in text


def test_figures_are_json_and_end_no_script(study):
    script = page_of(study).rpartition("<script>")[2]
    assert "alert" not in script
    for name in ("progress", "curves", "parallel"):
        figure = json.loads(re.search(rf'draw\("{name}", (.*)\);', script)[1])
        assert figure["data"] and "layout" in figure
    assert len(json.loads(re.search(r'drawAll\("slices", (.*)\);', script)[1])) == 5


def test_labels_are_no_markup(made):
    """Plotly takes <b> and <a href> in any label for tags, and %{x} for a variable."""
    nasty = "<a href='https://example.com'>%{x}</a>"
    study = dressed(
        made, [replace(trial(n, nasty, n + 1.0), values={nasty: nasty, "optimizer": nasty}) for n in range(3)]
    )
    space = (Choice(nasty, nasty, choices=(nasty, "<b>")), Choice("optimizer", nasty, choices=(nasty, "sgd")))
    study.definition = replace(study.definition, hyperparameters=space)
    made_figures = [figures.progress(study), figures.parallel(study), *(f for _, f in figures.slices(study))]
    text = json.dumps(made_figures, ensure_ascii=False)
    assert "href" in text, "it is shown"
    assert set(re.findall(r"<[^\u200b][^>]*>", text)) <= {"<br>", "<extra>", "</extra>"}
    assert "%{x}<\u200b/a>" not in text


def test_progress_has_every_score_and_the_best_so_far(study):
    traces = {trace["name"]: trace for trace in figures.progress(study)["data"]}
    assert set(traces) == {"completed", "pruned", "best so far"}
    assert traces["completed"]["x"] == list(range(8)) and traces["pruned"]["y"] == [0.4]
    assert traces["best so far"]["y"] == [*(1 / (n + 1) for n in range(8)), 1 / 8, 1 / 8]


def test_curves_leave_out_what_cannot_be_drawn(study):
    lines = {trace["name"]: trace["y"] for trace in figures.curves(study)["data"]}
    assert lines["trial 9"] == [0.4, None] and len(lines) == 9 and "trial 8" not in lines
    assert [t["name"] for t in figures.curves(study)["data"] if t["showlegend"]] == ["trial 7"]


def test_parallel_coordinates_have_a_place_for_what_does_not_apply(study):
    axes = {axis["label"]: axis for axis in figures.parallel(study)["data"][0]["dimensions"]}
    assert list(axes) == ["rate", "units", "optimizer", "momentum", "bias", "val_loss"]
    assert axes["rate"]["tickvals"] == [-4, -3, -2, -1] and set(axes["rate"]["values"]) == {-1, -2, -3}
    order = figures.ranked(study.trials, study.objective)
    for t, place, kind in zip(order, axes["momentum"]["values"], axes["optimizer"]["values"], strict=True):
        assert (place < 0) == (t.values["optimizer"] == "adam") and kind == ("sgd", "adam").index(t.values["optimizer"])
    assert axes["momentum"]["ticktext"][0] == figures.NOT_THERE
    assert axes["optimizer"]["ticktext"] == ["sgd", "adam"]


def test_slices_have_the_scale_of_the_hyperparameter(study):
    slices = dict(figures.slices(study))
    assert list(slices) == ["rate", "units", "optimizer", "momentum", "bias"]
    assert slices["rate"]["layout"]["xaxis"]["type"] == "log" and slices["units"]["layout"]["xaxis"]["type"] == "linear"
    assert slices["optimizer"]["layout"]["xaxis"]["categoryarray"] == ["sgd", "adam"]
    assert len(slices["momentum"]["data"][0]["x"]) == 4


def test_studies_without_scores_or_trials_have_a_report_too(made):
    failed = trial(0, "sgd", None, state=State.FAILED, error="OOM")
    for trials, words in (([], "<b>0</b>trials"), ([failed], "OOM"), ([trial(0, "sgd", 0.5)], "0.5000")):
        text = page_of(dressed(made, trials))
        assert words in text and ("No trial has a score" in text) == (words != "0.5000")


def test_a_long_study_is_cut_and_says_so(made):
    text = page_of(dressed(made, [trial(n, "adam", 1.0 + n) for n in range(MAX_ROWS + 5)]))
    assert "5 more" in text and f"Curves of the best {figures.MAX_CURVES}" in re.sub(r"\s+", " ", text)


def test_a_study_of_a_program_has_no_command(made):
    assert "made in a program" in page_of(dressed(made, [trial(0, "sgd", 0.5)], space_source=None))


def test_the_command_writes_the_report(tune_here, made, tmp_path):
    done = tune_here("report", made.path)
    assert done.returncode == 0 and str(made.path / "report.html") in done.stdout, done.stderr
    assert (made.path / "report.html").read_text().startswith("<!DOCTYPE html>")
    record = json.loads(tune_here("report", made.path, "--out", "mine/r.html", "--json").stdout)
    assert record == {"study": "curve-random", "report": "mine/r.html", "trials": 2}
    assert (tmp_path / "mine" / "r.html").is_file()
    with pytest.raises(StudyError, match="could not be written"):
        write_report(Study(made.path), tmp_path / "mine" / "r.html" / "below.html")


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.skipif(browsers.program() is None, reason="no Chromium")
def test_a_browser_draws_it(study, tmp_path):
    path = write_report(study, tmp_path / "report.html")
    with browsers.Browser(1300, 2400) as browser:
        browser.open(path.as_uri())
        n_drawn = "document.querySelectorAll('.js-plotly-plot .main-svg').length > 0 && "
        n_drawn += "document.querySelectorAll('.js-plotly-plot').length"
        assert browser.wait(n_drawn, lambda n: n == 8) == 8
        assert browser.run("document.querySelectorAll('#slices .point').length") == 9 * 4 + 4
        assert browser.exceptions == [] and browser.failures == []
