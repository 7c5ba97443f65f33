"""Searches of every engine are struck at random moments, and nothing is lost."""

import subprocess
import sys

import pytest

from tests.conftest import ROOT


@pytest.mark.slow
def test_a_storm_does_no_harm():
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "storm.py"), "20", "7"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 and "\n0 violations" in done.stdout, done.stdout + done.stderr
