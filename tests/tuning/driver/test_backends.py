"""Searches on another backend of Keras: the same as on TensorFlow, which is not even imported."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import pytest

import tuning
from tuning.errors import StudyError
from tuning.tensorboard.writer import read_events

ROOT = Path(__file__).parents[3]
SPACE = ROOT / "tests" / "spaces" / "backend.py"
PROGRAM = """
import sys
import numpy as np
import tuning

def is_there():
    return "tensorflow" in sys.modules

study = tuning.search(SPACE, engine="random", study="s", trials=3)  # goes on with two trials of worker processes
assert [t.compiled for t in study.trials] == [True] * 3, [t.compiled_reason for t in study.trials]
assert not is_there(), "search"
assert "seed 1, on jax" in str(study.summary())
data = study.space.load_data()
loss, accuracy = study.best_model.evaluate(*data.validation, verbose=0)
assert abs(accuracy - study.best.score) < 1e-6
assert not is_there(), "best model"
assert tuning.finalize(study).versions["jax"]
assert not is_there(), "finalize"

settings = dict(engine="hyperband", epochs=3, seed=3, options={"factor": 3})
scores = []
for here in (True, False):
    found = tuning.search(SPACE, study=f"hyperband-{here}", in_process=here, **settings)
    assert max(len(t.runs) for t in found.trials) == 2, "one is promoted"
    scores.append([t.score for t in found.trials])
assert scores[0] == scores[1], scores
assert not is_there(), "hyperband"

from tuning.estimators import KerasClassifier
model = KerasClassifier(study.space, epochs=3, units=8, rate=0.05, random_state=0).fit(data.x, data.y)
again = KerasClassifier(study.space, epochs=3, units=8, rate=0.05, random_state=0).fit(data.x, data.y)
assert (model.predict_proba(data.x) == again.predict_proba(data.x)).all()
assert not is_there(), "estimator"
"""


@pytest.mark.medium
def test_a_search_on_jax_is_like_any_other_and_imports_no_tensorflow(tune, tmp_path, monkeypatch):
    told = tmp_path / "told"
    env = {"KERAS_BACKEND": "jax", "TOLD": str(told)}
    arguments = ["--engine", "random", "--trials", 2, "--epochs", 2, "--workers", 2, "--seed", 1, "--study", "s"]
    arguments += ["--log", "histograms"]
    done = tune("run", SPACE, *arguments, env=env)
    assert done.returncode == 0, done.stderr
    lines = {tuple(line.split()) for line in told.read_text().splitlines()}
    assert {line[:2] for line in lines} == {("jax", "False")}
    events = [e for path in tmp_path.glob("logs/s/tensorboard/trial_0001/*/events*") for e in read_events(path)]
    values = [(e.step, v) for e in events for v in e.summary.value]
    histograms = {(step, v.tag) for step, v in values if v.metadata.plugin_data.plugin_name == "histograms"}
    assert len(histograms) == 4 * 2, histograms  # weights of two layers, in two epochs
    program = PROGRAM.replace("SPACE", repr(str(SPACE)))
    (tmp_path / "program.py").write_text(f"if __name__ == '__main__':\n    exec({program!r})\n")
    subprocess.run(
        [sys.executable, "program.py"],
        cwd=tmp_path, env={**os.environ, **env, "PYTHONPATH": str(ROOT)}, check=True, timeout=300,
    )  # fmt: skip
    if keras.config.backend() != "tensorflow":
        pytest.skip(f"Keras runs on {keras.config.backend()}")
    monkeypatch.setenv("TOLD", str(told))
    with pytest.raises(StudyError, match=r"Keras runs on tensorflow \(KERAS_BACKEND\), in the study on jax"):
        tuning.search(str(SPACE), engine="random", study="s", trials=4, logs=tmp_path / "logs")
