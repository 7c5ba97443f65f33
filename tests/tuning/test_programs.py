"""Compiled programs are kept for other processes: where, how many, and what they are worth."""

import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT
from tuning import programs

PROGRAM = """
import sys
from tuning.space.imports import import_keras
import_keras()
import keras
from tests.tuning.compiled import cases
from tuning import compiled
from tuning.compiled.naming import numbered_afresh

made = {"wide": (8, "relu"), "narrow": (5, "tanh")}
seconds, weights = 0.0, {}
for name in sys.argv[1:]:
    with numbered_afresh():
        keras.utils.set_random_seed(1)
        hidden = [keras.layers.Dense(*made[name]) for _ in range(4)]
        model = cases.mlp(*hidden)
        compiled.fit(model, cases.X, cases.Y, epochs=200, verbose=0)
    report = compiled.last_report(model)
    assert report.compiled and not report.reason, report
    seconds += report.compile_seconds
    weights[name] = [float(w.sum()) for w in model.get_weights()]
print(seconds, sorted(weights.items()))
"""


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv(programs.VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache"


def written(folder, name, size, time):
    (folder / name).write_bytes(b"x" * size)
    os.utime(folder / name, (time, time))


def test_a_folder_is_for_one_machine_release_and_number_of_threads(root):
    keys = {
        programs.folder(backend, release, variables)
        for backend, release in (("jax", "1"), ("jax", "2"), ("tensorflow", "2"))
        for variables in ({}, {"TF_NUM_INTRAOP_THREADS": "1"}, {"XLA_FLAGS": "--xla_backend_optimization_level=0"})
    }
    assert len(keys) == 9 and all(path.is_dir() and path.parent == root / "programs" for path in keys)
    assert programs.folder("jax", "1", {}) == programs.folder("jax", "1", {"XLA_FLAGS": programs.XLA_FLAGS})


def test_off_or_where_others_may_write_nothing_is_kept(root, monkeypatch):
    programs.folder("jax", "1", {}).chmod(0o777)
    assert programs.folder("jax", "1", {}) is None
    monkeypatch.setattr(programs.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 10**6}))
    assert programs.folder("jax", "2", {}) is None, "a full disk"
    monkeypatch.setenv(programs.VARIABLE, str(root / "programs" / "a file"))
    (root / "programs" / "a file").touch()
    assert programs.folder("jax", "1", {}) is None
    monkeypatch.setenv(programs.VARIABLE, "off")
    assert programs.folder("jax", "1", {}) is None and programs.variables({}) == {} and programs.kept() == []


def test_the_oldest_go_first(root):
    folder = programs.folder("jax", "1", {})
    for time, name in enumerate(("c", "a", "b")):
        written(folder, name, 10, time)
    programs.shrink(25)
    assert [file.name for file in programs.kept()] == ["a", "b"] and programs.n_bytes(programs.kept()) == 20
    programs.shrink(0)
    assert programs.kept() == []


def test_tensorflow_is_told_once_and_the_user_comes_first(root):
    told = programs.variables({"TF_XLA_FLAGS": "--tf_xla_auto_jit=1"})
    assert told["TF_XLA_FLAGS"].split()[:2] == [
        "--tf_xla_auto_jit=1", f"--tf_xla_persistent_cache_directory={next(root.glob('programs/*'))}"
    ]  # fmt: skip
    assert programs.variables(told) == told, "in a process that has it from another one"
    other = programs.variables(told | {"TF_NUM_INTRAOP_THREADS": "1"})
    assert other != told and len(other["TF_XLA_FLAGS"].split()) == 3
    assert programs.variables({"TF_XLA_FLAGS": "--tf_xla_persistent_cache_directory=/mine"}) == {}
    assert programs.variables({"KERAS_BACKEND": "jax"}) == {}


def test_a_release_that_may_not_know_the_flags_is_not_told(root, monkeypatch):
    assert programs.variables({}), "the release that is installed must be looked at: does it know these flags?"
    monkeypatch.setattr(programs.importlib.metadata, "version", lambda name: "2.99.0")
    assert programs.variables({}) == {}


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_another_process_hardly_compiles_and_computes_the_same(backend, root):
    def run(*names):
        env = {**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-c", PROGRAM, *names]
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
        seconds, weights = done.stdout.splitlines()[-1].split(" ", 1)
        return float(seconds), weights

    first, weights = run("wide", "narrow")
    kept = programs.kept()
    assert kept
    second, again = run("narrow", "wide")
    assert again == weights and second < first / 2
    if backend == "tensorflow":
        assert set(programs.kept()) == set(kept), "nothing was compiled that had been already"
    for file in programs.kept():
        file.write_bytes(file.read_bytes()[:100])
    assert run("wide", "narrow")[1] == weights, "a damaged file is none"
    if backend == "tensorflow":  # JAX leaves it as it is
        assert min(file.stat().st_size for file in programs.kept()) > 100


def test_only_an_error_about_what_is_kept_lets_it_be_forgotten(root, monkeypatch):
    monkeypatch.setenv("TF_XLA_FLAGS", programs.variables({})["TF_XLA_FLAGS"])
    folder = next(root.glob("programs/*"))
    (folder / "xla.pb").write_bytes(b"1")
    assert not programs.forgotten("Detected unsupported operations") and programs.kept()
    assert programs.forgotten("Serialized cache key does not match.") and not programs.kept()
    monkeypatch.setenv("TF_XLA_FLAGS", "--tf_xla_persistent_cache_directory=/mine")
    assert not programs.forgotten("Read less bytes than requested")
