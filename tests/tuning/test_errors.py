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
