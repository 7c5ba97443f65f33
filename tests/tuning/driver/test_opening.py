"""A study is deleted before it is overwritten, and nothing else."""

import pytest

import tuning
from tuning.storage.folder import CHECKPOINTS, DATABASE, REPORT, TENSORBOARD, delete_files


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
