"""Fixtures for all tests: real data where it is cached, quiet TensorFlow, no shared folders."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

ROOT = Path(__file__).parent.parent
SPACES = Path(__file__).parent / "spaces"


@pytest.fixture
def curve_space() -> str:
    """The name of a space of pure Python, whose epochs take no time."""
    return str(SPACES / "curve.py")


@pytest.fixture
def tune(tmp_path):
    """Run the `tune` command in a process of its own, in an empty folder; return the finished process."""

    def call(*arguments: object, env: dict[str, str] | None = None, **options) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "tuning.cli", *map(str, arguments)],
            cwd=tmp_path,
            text=True,
            capture_output=True,
            env={**os.environ, "PYTHONPATH": str(ROOT), **(env or {})},
            timeout=300,
            check=False,
            **options,
        )

    return call


def needs_real_data() -> None:
    """Skip a test when Fashion-MNIST or California housing is not cached; names what is missing."""
    keras_home = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras"))
    scikit_learn_data = Path(os.environ.get("SCIKIT_LEARN_DATA", Path.home() / "scikit_learn_data"))
    for path in (keras_home / "datasets" / "fashion-mnist", scikit_learn_data / "cal_housing_py3.pkz"):
        if not path.exists():
            pytest.skip(f"real data are not cached: {path} is missing")
