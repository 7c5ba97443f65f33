"""The benchmark for a GPU runs where there is none, with tiny sizes, and its two ways of training trials agree."""

import json
import subprocess
import sys

import pytest

from tests.conftest import ROOT


@pytest.mark.slow
def test_it_runs_on_a_cpu_and_many_trials_in_one_program_are_what_each_alone_is(tmp_path):
    path = tmp_path / "figures.json"
    sizes = ["--rows", "100", "--trials", "8", "--epochs", "2", "--model", "small", "lstm", "conv1d"]
    subprocess.run([sys.executable, ROOT / "scripts" / "benchmark_gpu.py", *sizes, "--json", path], check=True)
    found = json.loads(path.read_text())
    rows = [record for record in found if "row" in record]
    assert [record["backend"] for record in found if "backend" in record] == ["tensorflow", "jax"]
    assert len(rows) == 2 * 3 * 2 and all(record["ours"] > 0 and record["fit"] > 0 for record in rows)
    (trials,) = (record for record in found if "trials" in record)
    assert trials["trials"] == 8 and trials["ratio"] > 0 and trials["largest_relative_difference"] < 1e-4
