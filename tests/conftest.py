"""Fixtures for all tests: real data where it is cached, quiet TensorFlow, no shared folders.

Two ways to run them besides the default: `--quick` runs what needs neither Keras, nor Optuna (so no stored study),
nor a further process, nor a search, and with `TUNING_CI=1` in the environment a test that would be skipped because
something is missing fails instead.
"""

import ast
import importlib.abc
import multiprocessing.process
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in the background of a shell; some tests press Ctrl-C
    signal.signal(signal.SIGINT, signal.default_int_handler)
os.environ["TUNE_CACHE"] = "off"  # a program that another run has compiled would hide what compiling does
os.environ["XDG_STATE_HOME"] = tempfile.mkdtemp(prefix="state-")  # the key that seals studies

ROOT = Path(__file__).parent.parent
SPACES = Path(__file__).parent / "spaces"
MAY_BE_MISSING = ("'torch'", "can only be mounted by root", "SCIPY_ARRAY_API is not set", "Keras runs on ")
"""Of what is skipped even where `TUNING_CI=1`: a package of half a gigabyte, rights that no installation gives, a
switch that makes another SciPy of it for the whole process, and what is not about the backend of this run."""


def pytest_addoption(parser):
    parser.addoption(
        "--quick", action="store_true", help="only what needs neither Keras, Optuna, a further process nor a search"
    )


def pytest_configure(config):
    if config.getoption("--quick"):
        sys.meta_path.insert(0, _WithoutTheLarge())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item, nextitem):
    if not item.config.getoption("--quick"):
        return (yield)
    from tuning.driver.loop import Search
    from tuning.preflight.scout import Scout

    with pytest.MonkeyPatch.context() as patch:
        for part in (Search, Scout):
            patch.setattr(part, "__init__", _skipped("runs a search"))
        patch.setattr(subprocess.Popen, "__init__", _skipped("starts a process"))
        patch.setattr(multiprocessing.process.BaseProcess, "start", _skipped("starts a process"))
        return (yield)


class _WithoutTheLarge(importlib.abc.MetaPathFinder):
    """Skips whoever imports Keras or Optuna, so that no list has to say which tests those are."""

    def find_spec(self, name, path, target=None):
        if name in ("keras", "tensorflow", "optuna"):
            pytest.skip(f"needs {name}", allow_module_level=True)


def _skipped(reason):
    def skip(*_, **__):
        pytest.skip(reason)

    return skip


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    return _strict((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    return _strict((yield))


def _strict(report):
    """Turn a skip into a failure where everything ought to be installed."""
    if os.environ.get("TUNING_CI") == "1" and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if not any(part in reason for part in MAY_BE_MISSING):
            report.outcome = "failed"
            report.longrepr = f"with TUNING_CI=1 nothing may be missing, but this was skipped: {reason}"
    return report


def loaded_by(code, *names):
    """Return which of these modules a process of its own has loaded after running `code`."""
    code = f"import sys\n{code}\nprint([name for name in {names} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return ast.literal_eval(done.stdout)


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


@pytest.fixture
def tune_here(tmp_path, monkeypatch, capsys):
    """Run the `tune` command in this process, which saves it two seconds; otherwise as `tune`."""

    def call(*arguments: object, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        from tuning.cli import main

        with monkeypatch.context() as patch:
            patch.chdir(tmp_path)
            patch.setattr(sys, "argv", ["tune", *map(str, arguments)])
            patch.setattr(sys, "path", [*sys.path])
            for name, value in (env or {}).items():
                patch.setenv(name, value)
            capsys.readouterr()
            with pytest.raises(SystemExit) as end:
                main()
        out, err = capsys.readouterr()
        return subprocess.CompletedProcess(arguments, end.value.code or 0, out, err)

    return call


def needs_real_data() -> None:
    """Skip a test when Fashion-MNIST or California housing is not cached; names what is missing."""
    keras_home = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras"))
    scikit_learn_data = Path(os.environ.get("SCIKIT_LEARN_DATA", Path.home() / "scikit_learn_data"))
    for path in (keras_home / "datasets" / "fashion-mnist", scikit_learn_data / "cal_housing_py3.pkz"):
        if not path.exists():
            pytest.skip(f"real data are not cached: {path} is missing")
