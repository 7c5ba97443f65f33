"""Errors are one short block: the user's frames, and none of ours but the one that raises."""

import traceback

import pytest

import tuning
from tuning import errors
from tuning.errors import OptionError, StudyError, TuningError, briefly


def reciprocal(n):
    return 1 / n


def frames(error):
    return [(frame.filename, frame.name) for frame in traceback.extract_tb(error.__traceback__)]


def test_where_in_the_toolkit_it_was_found_out_is_not_shown(tmp_path):
    with pytest.raises(StudyError) as caught:
        tuning.load(tmp_path / "nothing")
    assert [name for _, name in frames(caught.value)] == [
        "test_where_in_the_toolkit_it_was_found_out_is_not_shown",
        "brief",
    ]
    assert caught.value.__cause__ is None and caught.value.__suppress_context__


def test_what_the_users_code_raised_is_shown_from_its_first_frame_on(tmp_path):
    def build_model(hp):
        reciprocal(hp.Int("n", 0, 3))

    with pytest.raises(TuningError, match="ZeroDivisionError") as caught:
        tuning.search(build_model, [1.0], objective="val_loss:min", logs=tmp_path, verbose=0)
    assert len(frames(caught.value)) == 2
    assert frames(caught.value.__cause__) == [(__file__, "build_model"), (__file__, "reciprocal")]


def test_what_others_raised_below_us_is_left_out():
    @briefly
    def ours():
        try:
            int("x")
        except ValueError as error:
            raise OptionError("no") from error

    with pytest.raises(OptionError) as caught:
        ours()
    assert frames(caught.value.__cause__) == [(__file__, "ours")], "it was raised in this file, which is not ours"


def test_other_exceptions_pass_as_they_are():
    with pytest.raises(ZeroDivisionError) as caught:
        briefly(reciprocal)(0)
    assert [name for _, name in frames(caught.value)][-1] == "reciprocal"
    assert errors.briefly(reciprocal).__name__ == "reciprocal"


@pytest.mark.medium
def test_a_notebook_shows_none_of_our_frames(tmp_path, monkeypatch):
    """What IPython asks an exception for, made by IPython itself."""
    interactive = pytest.importorskip("IPython.core.interactiveshell")
    monkeypatch.setattr(interactive.InteractiveShell, "_instance", None)
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    shell = interactive.InteractiveShell(history_length=0)
    monkeypatch.setattr("IPython.get_ipython", lambda: shell)
    with pytest.raises(StudyError) as caught:
        tuning.load(tmp_path / "nothing")
    shown = "\n".join(caught.value._render_traceback_())
    assert "test_a_notebook_shows" in shown and "must be the folder of a study" in shown
    assert "in brief" not in shown and "tuning/study" not in shown


def test_methods_are_brief_too_and_keep_their_names():
    @errors.brief_methods
    class Thing:
        def fails(self):
            """Fail."""
            raise OptionError("no")

        def _own(self):
            return None

        @property
        def length(self):
            return 3

    with pytest.raises(OptionError) as caught:
        Thing().fails()
    assert [name for _, name in frames(caught.value)][1:] == ["brief"]
    assert Thing.fails.__doc__ == "Fail." and Thing().length == 3 and not hasattr(Thing._own, "__wrapped__")


def test_a_warning_shows_the_line_of_the_user(tmp_path):
    assert errors.users_line() == 1, "this test is the user"
    assert briefly(errors.users_line)() == 2


@pytest.mark.medium
def test_the_path_of_a_study_is_no_study(tmp_path):
    for call in (tuning.finalize, tuning.write_report, lambda path: tuning.predict(path, "x.csv")):
        with pytest.raises(StudyError, match=r"`study` must be a study, as tuning.search and tuning.load return it"):
            call(str(tmp_path))
