"""A small stored study, to be dressed up by `studies`."""

import shutil

import pytest

from tests.conftest import ROOT
from tuning.study import Study


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    path = tmp_path_factory.mktemp("logs") / "formula-random"
    shutil.copytree(ROOT / "tests" / "golden" / "studies" / "random-finished", path)
    return Study(path)
