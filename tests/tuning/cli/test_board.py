"""`tune board`: which studies, and the address of the best curves."""

import re
import shutil
from urllib.parse import unquote

from tests.conftest import ROOT
from tuning.cli.board import _best_runs
from tuning.study import Study


def test_it_wants_studies_or_all_of_them(tune_here):
    for given in ((), ("some", "--all")):
        assert "must be given studies or --all" in tune_here("board", *given).stderr
    assert "must be a folder with studies, but 'logs' has none" in tune_here("board", "--all").stderr


def test_the_address_chooses_the_best_trial_of_each_study(tmp_path):
    paths = [tmp_path / "a.b", tmp_path / "c"]
    for path, golden in zip(paths, ("random-finished", "hyperband-finished"), strict=True):
        shutil.copytree(ROOT / "tests" / "golden" / "studies" / golden, path)
    chosen = re.compile(unquote(_best_runs(paths)))
    for path in paths:
        best = Study(path).best.number
        assert chosen.match(f"{path.name}/trial_{best:04d}/validation")
        assert not chosen.match(f"{path.name}/trial_{best + 1:04d}/validation")
    assert not chosen.match(f"axb/trial_{Study(paths[0]).best.number:04d}")
