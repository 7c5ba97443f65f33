"""The pictures of a study: Optuna's, with the names and the values that the user gave."""

import json

import pytest

from tests import browser as browsers
from tests.tuning.report.studies import divided, dressed, of_two_objectives, stored, trial, usual
from tuning.errors import OptionError, StudyError
from tuning.records.trial import State
from tuning.study.importance import importance
from tuning.study.plots import Plots, told

NAMES = [name for name in vars(Plots) if not name.startswith("_") and name != "pareto"]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return stored(tmp_path_factory.mktemp("logs"))


@pytest.mark.medium
@pytest.mark.parametrize("kind", [usual, divided, of_two_objectives])
def test_every_picture_has_the_names_of_the_user(made, kind):
    study = kind(made)
    for name in NAMES:
        figure = getattr(study.plot, name)()
        text = figure.to_json()
        assert figure.data and "Objective" not in text and "Intermediate" not in text, name
        assert "val_loss" in text or name == "timeline", name


def test_an_ordered_choice_is_shown_by_its_values(made):
    figure = usual(made).plot.slice(["layers"])
    assert {str(x) for trace in figure.data for x in trace.x} == {"2", "4", "8"}
    distribution = told(usual(made)).trials[0].distributions["layers"]
    assert list(distribution.choices) == [2, 4, 8]


def test_times_states_and_curves_are_those_of_the_trials(made):
    study = usual(made)
    theirs = told(study)
    assert [t.number for t in theirs.trials] == [t.number for t in study.trials]
    assert [t.state.name for t in theirs.trials[-3:]] == ["FAIL", "PRUNED", "RUNNING"]
    assert (theirs.trials[1].datetime_start - theirs.trials[0].datetime_start).total_seconds() == 60
    assert theirs.trials[0].duration.total_seconds() == 90 and theirs.trials[25].intermediate_values == {0: 0.4}
    assert theirs.metric_names == ["val_loss"] and theirs.best_trial.number == study.best.number
    assert "momentum" not in theirs.trials[0].params and "momentum" in theirs.trials[1].params


def test_the_importance_is_the_report_s(made):
    study = usual(made)
    (bars,) = study.plot.importance().data
    shares = importance(study.definition.hyperparameters, study.trials, study.objective)
    assert dict(zip(bars.y, bars.x, strict=True)) == shares and len(shares) == 6


def test_the_contour_is_of_the_two_most_important(made):
    study = usual(made)
    first, second = list(importance(study.definition.hyperparameters, study.trials, study.objective))[:2]
    text = study.plot.contour().to_json()
    assert first in text and second in text
    axes = {figure["title"]["text"] for key, figure in json.loads(text)["layout"].items() if "axis" in key}
    assert axes == {first, second}


def test_the_pareto_set_is_of_several_objectives(made):
    figure = of_two_objectives(made).plot.pareto()
    assert figure.layout.xaxis.title.text == "val_loss" and figure.layout.yaxis.title.text == "n_params"
    with pytest.raises(StudyError, match="must have two or three objectives for this, but has one objective"):
        usual(made).plot.pareto()


def test_a_name_that_is_none_is_refused_with_a_guess(made):
    with pytest.raises(OptionError, match=r"`names` must be hyperparameters that were searched: .*'rat'. Did you mean"):
        usual(made).plot.slice(["rat"])
    with pytest.raises(OptionError, match="at least two"):
        usual(made).plot.contour(["rate"])


@pytest.mark.medium
def test_a_study_without_trials_has_pictures_too(made):
    pruned = [trial(k, "sgd", 0.5, state=State.PRUNED) for k in range(3)]
    for trials, words in (([], "nothing to draw: 0 trials"), (pruned, "nothing to draw: 3 trials: 3 pruned")):
        study = dressed(made, trials)
        for name in NAMES:
            text = getattr(study.plot, name)().to_json()
            assert words in text or "are needed to tell" in text or name in ("timeline", "curves"), name
        assert words in study.plot.history().to_json() and "10 trials with" in study.plot.importance().to_json()
    one = dressed(made, [trial(0, "sgd", 0.5)])
    for name in NAMES:
        getattr(one.plot, name)()


@pytest.mark.medium
def test_of_many_trials_some_have_lines_which_is_said(made, monkeypatch):
    monkeypatch.setattr("tuning.study.plots.MAX_LINES", 20)
    study = usual(made, 40)
    figure = study.plot.curves()
    names = {int(trace.name.removeprefix("Trial")) for trace in figure.data}
    assert {t.number for t in study.top(10)} <= names and 15 < len(names) <= 20
    assert "of 43 trials" in figure.layout.title.text and "of 43 trials" in study.plot.parallel_coordinates().to_json()
    assert "of 43" not in study.plot.history().to_json()


def test_the_pictures_are_told_at_the_prompt(made):
    assert ".history()" in repr(made.plot) and ".pareto()" in repr(made.plot)


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.skipif(browsers.program() is None, reason="no Chromium")
def test_a_picture_is_written_as_png_and_svg(made, tmp_path):
    pytest.importorskip("kaleido")
    usual(made).plot.history().write_image(tmp_path / "history.png")
    usual(made).plot.history().write_image(tmp_path / "history.svg")
    assert (tmp_path / "history.png").read_bytes().startswith(b"\x89PNG")
    assert "val_loss" in (tmp_path / "history.svg").read_text("utf-8")
