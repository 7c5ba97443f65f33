"""Files are written wholly or not at all, through no link, and are on the disk before they take their place."""

import os
import re
import stat
from pathlib import Path

import pytest

from tuning import files


@pytest.fixture
def calls(monkeypatch):
    """Record in which order names are synchronised and replaced."""
    made, fsync, replace = [], os.fsync, os.replace

    def synced(descriptor):
        made.append(("fsync", os.path.basename(os.readlink(f"/proc/self/fd/{descriptor}"))))
        fsync(descriptor)

    def replaced(source, target):
        made.append(("replace", os.path.basename(target)))
        replace(source, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", replaced)
    return made


def test_the_content_is_on_the_disk_before_the_name_and_the_name_before_the_end(tmp_path, calls):
    files.write_text(tmp_path / "new" / "a.txt", "content")
    assert (tmp_path / "new" / "a.txt").read_text() == "content"
    assert calls == [("fsync", ".unfinished.a.txt"), ("replace", "a.txt"), ("fsync", "new")]


def test_of_a_folder_every_file_is_on_the_disk(tmp_path, calls):
    for content in ("old", "new"):
        calls.clear()
        with files.replaced(tmp_path / "model") as draft:
            files.remove(draft)
            (draft / "variables").mkdir(parents=True)
            (draft / "variables" / "data").write_text(content)
    assert (tmp_path / "model" / "variables" / "data").read_text() == "new"
    before = calls[: calls.index(("replace", "model"))]
    assert {name for _, name in before} == {"data", "variables", ".unfinished.model"}
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_what_need_not_be_on_the_disk_is_not_waited_for(tmp_path, calls):
    with files.replaced(tmp_path / "a", synced=False) as draft:
        draft.write_text("content")
    assert calls == [("replace", "a")]


def test_an_error_leaves_the_old_file_and_no_draft(tmp_path):
    files.write_text(tmp_path / "a", "old")
    with pytest.raises(KeyboardInterrupt), files.replaced(tmp_path / "a") as draft:
        draft.write_text("half")
        raise KeyboardInterrupt
    assert (tmp_path / "a").read_text() == "old" and len(list(tmp_path.iterdir())) == 1


def test_planted_links_are_not_followed(tmp_path):
    victim, folder = tmp_path / "victim", tmp_path / "study"
    victim.write_text("precious")
    folder.mkdir()
    (folder / ".unfinished.a").symlink_to(victim)
    (folder / "a").symlink_to(victim)
    files.write_text(folder / "a", "ours")
    assert victim.read_text() == "precious" and (folder / "a").read_text() == "ours"
    assert not (folder / "a").is_symlink()
    with pytest.raises(OSError, match="symbolic link"), files.replaced(folder / "a") as draft:
        draft.unlink()
        draft.symlink_to(victim)
    assert victim.read_text() == "precious" and (folder / "a").read_text() == "ours"


def test_a_link_to_a_folder_under_the_files_name_costs_the_link_alone(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis").write_text("years")
    (tmp_path / "a").symlink_to(tmp_path / "mine")
    files.write_text(tmp_path / "a", "ours")
    assert (tmp_path / "a").read_text() == "ours" and (tmp_path / "mine" / "thesis").exists()


@pytest.mark.parametrize("umask, mode", [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_the_umask_decides_who_may_read(tmp_path, umask, mode):
    before = os.umask(umask)
    try:
        files.write_text(tmp_path / "a", "content")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == mode


def test_every_room_writes_with_it():
    """No other module puts a draft in a file's place, or waits for the disk on its own."""
    room = Path(files.__file__).parent
    others = [path for path in room.rglob("*.py") if path.name != "files.py"]
    assert len(others) > 50
    assert [p for p in others if {"os.replace(", "os.fsync("} & set(re.findall(r"os\.\w+\(", p.read_text()))] == []
