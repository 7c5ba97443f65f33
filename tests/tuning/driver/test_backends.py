"""Searches on another backend of Keras: the same as on TensorFlow, which is not even imported."""

import os
import re
import subprocess
import sys
from pathlib import Path

import keras
import pytest

import tuning
from tuning.errors import OptionError, StudyError
from tuning.tensorboard.writer import read_events

ROOT = Path(__file__).parents[3]
SPACE = ROOT / "tests" / "spaces" / "backend.py"
FOUND = """
import sys
from pathlib import Path

import tuning
from tuning.tensorboard.hparams import session_starts_in

study = tuning.search(SPACE, engine="random", study="s", trials=3)  # goes on with two trials of a worker process
assert [t.compiled for t in study.trials] == [True] * 3, [t.compiled_reason for t in study.trials]
assert "seed 1, on jax" in str(study.summary())
accuracy = study.best_model().evaluate(*study.space.load_data().validation, verbose=0)[1]
assert abs(accuracy - study.best.score) < 1e-6
shown = [dict(start.hparams) for start in session_starts_in(Path("logs/s/tensorboard"))]
assert sorted(columns["units"].number_value for columns in shown) == sorted(t.values["units"] for t in study.trials)
assert "tensorflow" not in sys.modules
"""
FURTHER = """
import sys
import tuning

scores = []
for here in (True, False):
    study = tuning.search(
        SPACE, study=f"hyperband-{here}", in_process=here, engine="hyperband", epochs=3, seed=3, options={"factor": 3}
    )
    assert max(len(t.runs) for t in study.trials) == 2, "one is promoted"
    scores.append([t.score for t in study.trials])
assert scores[0] == scores[1], scores
assert "tensorflow" not in sys.modules  # later it is, where it is installed: Keras imports it to save a model
assert tuning.finalize(study).versions["BACKEND"]
best = study.best_model().evaluate(*study.space.load_data().validation, verbose=0)[1]
assert abs(best - study.best.score) < 1e-6

from pathlib import Path
from tuning.tensorboard.hparams import session_starts_in
assert len(list(session_starts_in(Path("logs/hyperband-True/tensorboard")))) == len(study.trials)

page = tuning.write_report(study).read_text()
assert "seed 3, on BACKEND" in page and "=BACKEND tune run" in page
assert "=BACKEND tune finalize" in (Path(study.path) / "final" / "model_card.md").read_text()

import pickle
from tuning.estimators import KerasClassifier, TunedClassifier
data = study.space.load_data()
fitted = [
    KerasClassifier(study.space, epochs=3, units=8, rate=0.05, random_state=0).fit(data.x, data.y) for _ in range(2)
]
assert (fitted[0].predict_proba(data.x) == fitted[1].predict_proba(data.x)).all()
found = TunedClassifier(study.space, engine="random", trials=2, epochs=2, random_state=0).fit(data.x, data.y)
assert found.best_score_ == found.study_.best.score and found.study_.definition.backend == "BACKEND"
again = pickle.loads(pickle.dumps(found))
assert (again.predict_proba(data.x) == found.predict_proba(data.x)).all()
"""

TOGETHER = """
import os, signal
from pathlib import Path

import numpy as np
import tuning
from tuning.driver.observer import Observer

class Interrupts(Observer):
    def epoch_ended(self, trial):
        if (trial.number, trial.epochs) == (5, 2):
            os.kill(os.getpid(), signal.SIGINT)

given = {"engine": "random", "trials": 10, "epochs": 4, "seed": 3}
alone = tuning.search(LANES, study="alone", **given)
assert {t.state.name for t in alone.trials} == {"COMPLETED", "FAILED"}, "some diverge"

def compared(study):
    assert [t.state for t in study.trials] == [t.state for t in alone.trials]
    for one, other in zip(study.trials, alone.trials):
        assert one.values == other.values
        curves = [[epoch["val_mae"] for epoch in t.curve.epochs] for t in (one, other)]
        np.testing.assert_allclose(*curves, rtol=1e-4, err_msg=str(one.number))
    return [t.compiled_reason for t in study.trials]

try:
    tuning.search(LANES, study="together", batch_trials=8, observers=[Interrupts()], **given)
    raise AssertionError("it was not interrupted")
except KeyboardInterrupt:
    pass
under_way = tuning.load("logs/together").trials
assert any(t.state.name == "RUNNING" and t.epochs == 2 for t in under_way), under_way
assert any("in one program with up to" in str(r) for r in compared(
    tuning.search(LANES, study="together", batch_trials=8, **given)
))
os.environ["DIES"] = os.path.abspath("dies")
Path("dies").touch()
compared(tuning.search(LANES, study="killed", batch_trials=8, **given))
assert not Path("dies").exists()
"""


@pytest.fixture
def run_on(tmp_path):
    """Run a program on JAX, or another backend, in an empty folder; it writes what Keras runs on where `told` is."""

    def run(program, backend="jax"):
        text = (
            program.replace("BACKEND", backend)
            .replace("SPACE", repr(str(SPACE)))
            .replace("LANES", repr(str(SPACE.with_name("lanes.py"))))
        )
        (tmp_path / "program.py").write_text(f"if __name__ == '__main__':\n    exec({text!r})\n")
        env = {**os.environ, "KERAS_BACKEND": backend, "TOLD": str(tmp_path / "told")}
        env["PYTHONPATH"] = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        subprocess.run([sys.executable, "program.py"], cwd=tmp_path, env=env, check=True, timeout=300)

    return run


@pytest.mark.medium
def test_a_search_on_jax_is_like_any_other_and_imports_no_tensorflow(tune, tmp_path, monkeypatch, run_on):
    told = tmp_path / "told"
    arguments = ["--engine", "random", "--trials", 2, "--epochs", 2, "--seed", 1, "--study", "s", "--log", "histograms"]
    done = tune("run", SPACE, *arguments, "--workers", 1, env={"KERAS_BACKEND": "jax", "TOLD": str(told)})
    assert done.returncode == 0, done.stderr
    run_on(FOUND)
    lines = [line.split() for line in told.read_text().splitlines()]
    assert {(backend, is_there) for backend, is_there, _ in lines} == {("jax", "False")}
    assert len({process for *_, process in lines}) == 2, "a worker and a program"
    events = [e for path in tmp_path.glob("logs/s/tensorboard/trial_0001/*/events*") for e in read_events(path)]
    values = [(e.step, v) for e in events for v in e.summary.value]
    histograms = {(step, v.tag) for step, v in values if v.metadata.plugin_data.plugin_name == "histograms"}
    assert len(histograms) == 4 * 2, "weights of two layers, in two epochs"
    if keras.config.backend() == "tensorflow":
        monkeypatch.setenv("TOLD", str(told))
        with pytest.raises(StudyError, match=r"Keras runs on tensorflow \(KERAS_BACKEND\), in the study on jax"):
            tuning.search(str(SPACE), engine="random", study="s", trials=4, logs=tmp_path / "logs")


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_promotions_final_models_and_estimators_are_the_same_elsewhere(backend, run_on):
    pytest.importorskip(backend)
    run_on(FURTHER, backend)


@pytest.mark.slow
def test_trials_in_one_program_come_to_what_each_comes_to_alone_interrupted_and_killed(run_on):
    run_on(TOGETHER)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"batch_trials": 0}, "`batch_trials` must be a whole number >= 1 or 'auto', but got 0"),
        ({"batch_trials": "many"}, "or 'auto', but got 'many'"),
        ({"batch_trials": 4, "in_process": True}, "must be 1 with in_process, but got 4"),
        ({"batch_trials": 4, "compiled": False}, "must be 1 with compiled=False, but got 4"),
    ],
)
def test_what_cannot_be_trained_together_is_refused(given, message, tmp_path):
    with pytest.raises(OptionError, match=re.escape(message)):
        tuning.search(str(SPACE), logs=tmp_path, **given)


@pytest.mark.medium
@pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="Keras runs on something else")
def test_trials_are_trained_together_on_jax_alone(tmp_path):
    with pytest.raises(OptionError, match=r"`batch_trials` must be 1 where Keras runs on tensorflow, but got 4"):
        tuning.search(str(SPACE), logs=tmp_path, batch_trials=4, trials=1)
    assert not list(tmp_path.iterdir())
