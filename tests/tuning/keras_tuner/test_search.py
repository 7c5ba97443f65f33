"""Searches that are left to KerasTuner's own `search`, and what is said then."""

from pathlib import Path

import pytest


def test_a_chief_of_keras_tuners_own_is_left_to_it(made, monkeypatch):
    from tuning.keras_tuner import private, switch

    monkeypatch.setattr(private, "has_chief", lambda: True)
    called = []
    monkeypatch.setitem(switch._genuine, "search", lambda *args, **kwargs: called.append(kwargs))
    with pytest.warns(UserWarning, match="--cluster"):
        made().search(verbose=0)
    assert called == [{"verbose": 0}]


def test_a_project_folder_that_is_not_on_this_machine_is_left_to_keras_tuner(made, monkeypatch):
    from tuning.keras_tuner import switch

    monkeypatch.setitem(switch._genuine, "search", lambda *args, **kwargs: "theirs")
    tuner = made()
    tuner.directory = tuner.oracle._directory = "ram://somewhere"  # of TensorFlow's own
    with pytest.warns(UserWarning, match="ram://somewhere"):
        assert tuner.search() == "theirs"
    tuner.save()
    tuner.reload()
    assert not Path("ram:").exists()


def test_a_release_with_other_private_names_searches_by_itself(made, monkeypatch):
    from tuning.keras_tuner import private, switch

    monkeypatch.setitem(private._NEEDED, "keras_tuner.src.engine.tuner_utils", ("MovedCallback",))
    monkeypatch.setitem(switch._genuine, "search", lambda *args, **kwargs: "theirs")
    with pytest.warns(UserWarning, match=r"tuner_utils\.MovedCallback"):
        assert made().search() == "theirs"
