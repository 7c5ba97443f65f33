"""The page: one file that holds everything, for every state of a study, and in which nothing but our script runs."""

import base64
import hashlib
import html.parser
import json
import re
from dataclasses import replace

import pytest

from tests.tuning.report.studies import NASTY, divided, dressed, hostile, of_two_objectives, trained, trial, usual
from tuning.errors import StudyError
from tuning.hyperparameters import Float
from tuning.records.trial import State
from tuning.report import figures, write_report
from tuning.report.page import MAX_ROWS
from tuning.report.page import html as page_of
from tuning.study import Study


class Outside(html.parser.HTMLParser):
    """Collects what a page would load or run, and the names of its elements."""

    def __init__(self):
        super().__init__()
        self.loads, self.tags, self.handlers = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.loads += [value for name, value in attrs if name in ("src", "href", "data", "action", "srcset")]
        self.handlers += [name for name, _ in attrs if name.startswith("on")]


def parsed(text):
    parser = Outside()
    parser.feed(text)
    return parser


def words_of(text):
    """Return what a reader sees."""
    text = re.sub(r"<(script|style)[^>]*>.*?</\1>", "", text, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]*>", " ", text).split())


def data_of(text):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)[1])


@pytest.mark.medium
@pytest.mark.parametrize("kind", [usual, divided, of_two_objectives, hostile])
def test_a_report_loads_nothing_and_runs_nothing_but_its_own_script(made, kind):
    text = page_of(kind(made))
    parser = parsed(text)
    assert set(parser.loads) == {"data:,"} and not parser.handlers, "an icon of nothing, so that none is asked for"
    assert parser.tags.count("script") == 2 and not {"iframe", "object", "img"} & set(parser.tags)
    script = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src &#39;sha256-{digest}&#39;" in text and "default-src &#39;none&#39;" in text
    assert "connect-src &#39;none&#39;" in text
    assert len(text) < 200_000


def test_a_hostile_study_is_shown_as_it_is(made):
    text = page_of(hostile(made))
    assert "<b>bold</b>" not in text and "<img" not in text and "49" not in words_of(text).split()
    assert "&lt;img" in text and NASTY in data_of(text)["tips"]["12"]


def test_a_report_says_what_there_is_to_say(made):
    text = words_of(page_of(usual(made)))
    for words in (
        made.name, "Best val_loss 0.0455 (trial 21) after 27 trials", "24 completed, 1 pruned, 1 failed",
        "1 of 27 trials failed", "ValueError: &lt;/script&gt;", "traceback of trial 24", "tune finalize",
        "tune baseline", "--seed 7", "0.0001 .. 0.1 (log)", "only if optimizer is &#39;sgd&#39;", "crc32",
        "36 min 00 s",
    ):  # fmt: skip
        assert words in text, words


def test_trials_without_a_driver_are_interrupted_wherever_they_are_named(made):
    page = page_of(usual(made))
    assert "1 interrupted, 24 completed" in words_of(page) and "trial 26, interrupted" in data_of(page)["tips"]["26"]
    assert ">running<" not in page and '<td class="running">interrupted</td>' in page
    assert "1 trial: 1 completed" in words_of(page_of(dressed(made, [trial(0, "sgd", 0.5)])))


def test_what_is_too_long_for_a_cell_is_its_title(made):
    space = (Float("x" * 40, 0.5, low=0, high=1),)
    page = page_of(dressed(made, [trial(0, "sgd", 0.5, values={"x" * 40: 0.5})], hyperparameters=space))
    assert f'title="{"x" * 40}"' in page


def test_folds_are_told(made):
    text = words_of(page_of(divided(made)))
    for words in (
        "each trial is trained 6 times, 3 folds of 2 repeats", "over 6 trainings",
        "108 epochs of all folds and repeats",
        "repeat_1_fold_2 0.2167", "3 by KFold(3)", "Folds and repeats",
    ):  # fmt: skip
        assert words in text, words


def test_several_objectives_have_a_pareto_set_and_no_best_trial(made):
    text = words_of(page_of(of_two_objectives(made)))
    assert "Pareto set of 6 of 20 trials: val_loss from" in text and "6 trials in the Pareto set" in text
    assert "Best trial" not in text and "best val_loss" not in text.lower()


def test_hours_are_said_as_hours(made):
    long = [replace(trained(1.0 / (n + 1)), seconds=7500.0) for n in range(3)]
    trials = [trial(n, "adam", None, trainings=(one,), ended_at=1e9 + 7500 * (n + 1)) for n, one in enumerate(long)]
    page = page_of(dressed(made, trials))
    assert "6 h 15 min of training" in words_of(page) and "2 h 05 min" in words_of(page) and "125 min" not in page
    assert data_of(page)["figures"]["timeline"]["x"]["scale"] == "time"


@pytest.mark.medium
def test_every_hyperparameter_is_shown_or_named(made):
    space = tuple(Float(f"rate{k:02}", 0.5, low=0, high=1) for k in range(20))
    trials = [trial(n, "sgd", 1.0 + n, values={h.name: (n * (k + 1) % 7) / 7 for k, h in enumerate(space)})
              for n in range(15)]  # fmt: skip
    text = page_of(dressed(made, trials, hyperparameters=space))
    drawn = data_of(text)["figures"]
    assert len([name for name in drawn if name.startswith("slice")]) == 20
    assert len(drawn["parallel"]["axes"]) == figures.MAX_AXES + 1
    assert drawn["parallel"]["note"].count("rate") == 20 - figures.MAX_AXES and "Left out" in text


@pytest.mark.medium
def test_studies_without_scores_or_trials_have_a_report_too(made):
    failed = trial(0, "sgd", None, state=State.FAILED, error="OOM")
    for trials, words in (
        ([], "No trial has begun"),
        ([failed], "No trial has a score"),
        ([trial(0, "sgd", 0.5)], "0.5000"),
    ):
        text = words_of(page_of(dressed(made, trials)))
        assert words in text and ("No trial has a score" in text) == (words != "0.5000")


@pytest.mark.medium
def test_a_long_study_is_sampled_and_says_so(made):
    n = 3000
    page = page_of(dressed(made, [trial(k, "adam", 1.0 + k % 97) for k in range(n)]))
    text, drawn = words_of(page), data_of(page)["figures"]
    assert f"{n - MAX_ROWS} more" in text and f"Pictures show {figures.MAX_POINTS} of {n} trials" in text
    assert (
        len(drawn["history"]["marks"][0]["x"]) == figures.MAX_POINTS
        and len(drawn["parallel"]["lines"]) <= figures.MAX_LINES
    )
    assert len(page) < 1_200_000


def test_a_study_of_a_program_has_no_command(made):
    assert "made in a program" in page_of(dressed(made, [trial(0, "sgd", 0.5)], space_source=None))


def test_the_table_is_a_table_to_a_screen_reader(made):
    text = page_of(usual(made))
    heads = re.search(r"<thead>(.*?)</thead>", text[text.index('id="trials"') :], re.DOTALL)[1]
    assert heads.count("<th ") == heads.count('scope="col"') == heads.count("<button") == 6 + 7
    assert text.count('<th scope="row" class="n">') == 27


@pytest.mark.medium
def test_the_command_writes_the_report(tune_here, made, tmp_path):
    done = tune_here("report", made.path)
    assert done.returncode == 0 and str(made.path / "report.html") in done.stdout, done.stderr
    assert (made.path / "report.html").read_text().startswith("<!DOCTYPE html>")
    record = json.loads(tune_here("report", made.path, "--out", "mine/r.html", "--json").stdout)
    assert record == {"study": "formula-random", "report": "mine/r.html", "trials": 8}
    assert (tmp_path / "mine" / "r.html").is_file()
    with pytest.raises(StudyError, match="could not be written"):
        write_report(Study(made.path), tmp_path / "mine" / "r.html" / "below.html")
