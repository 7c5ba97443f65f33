"""A small stored study, to be dressed up by `studies`."""

import pytest

from tests.tuning.report.studies import stored


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    return stored(tmp_path_factory.mktemp("logs"))
