"""A study is deleted before it is overwritten, and nothing else; one that is gone on with is read once."""

import pytest

import tuning
from tuning.storage.folder import CHECKPOINTS, DATABASE, REPORT, TENSORBOARD, delete_files
from tuning.storage.store import Store


@pytest.mark.medium
def test_a_linked_folder_is_unlinked_and_what_it_leads_to_is_kept(tmp_path, curve_space):
    given = {"engine": "random", "trials": 2, "epochs": 1, "seed": 0, "study": "s", "logs": tmp_path / "logs"}
    tuning.search(curve_space, **given)
    elsewhere = tmp_path / "elsewhere"
    (tmp_path / "logs" / "s" / "tensorboard").rename(elsewhere)
    (tmp_path / "logs" / "s" / "tensorboard").symlink_to(elsewhere)
    kept = sorted(elsewhere.rglob("*"))
    tuning.search(curve_space, overwrite=True, **{**given, "seed": 1})
    assert sorted(elsewhere.rglob("*")) == kept and not (tmp_path / "logs" / "s" / "tensorboard").is_symlink()


@pytest.mark.parametrize("name", [CHECKPOINTS, DATABASE, REPORT, TENSORBOARD])
def test_a_link_that_leads_nowhere_is_deleted_too(name, tmp_path):
    (tmp_path / name).symlink_to(tmp_path / "elsewhere")
    delete_files(tmp_path)
    assert not list(tmp_path.iterdir()), "or else something would be made there"


def test_a_study_with_nothing_to_train_is_read_once(tmp_path, curve_space, monkeypatch):
    given = {"engine": "random", "epochs": 1, "seed": 0, "study": "s", "logs": tmp_path, "verbose": 0}
    first = tuning.search(curve_space, trials=2, **given)
    read, times = Store.read, []
    monkeypatch.setattr(Store, "read", lambda store: (times.append(1), read(store))[1])
    again = tuning.search(curve_space, trials=2, **given)
    assert again.trials == first.trials and len(times) == 1
    more = tuning.search(curve_space, trials=3, **given)
    assert more.trials == tuning.load(more.path).trials and len(more.trials) == 3
