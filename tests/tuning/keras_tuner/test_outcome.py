"""What a trial came to in a worker process, as the program hears of it."""

import pytest

from tests.tuning.keras_tuner.conftest import run_python
from tuning.keras_tuner import outcome


class Unknown(UnicodeError):
    """An error that only the program knows."""


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        ("FatalTypeError", "FatalTypeError"), (SystemExit(3), SystemExit(3)), (SystemExit(), SystemExit()),
        (Unknown("a"), UnicodeError("a")), (UnicodeDecodeError("ascii", b"a", 0, 1, "no"), RuntimeError),
    ],
)  # fmt: skip
def test_an_error_that_ends_a_search_comes_out_of_a_worker_as_a_class_that_is_known_here(tuners, raised, expected):
    oracle = tuners.Tuner(tuners.oracles.RandomSearchOracle(max_trials=3), lambda hp: None, directory="out").oracle
    trial = oracle.create_trial("tuner0")
    if isinstance(raised, str):
        raised = expected = getattr(tuners.errors, raised)("a")
    assert outcome.fatal(oracle, trial, "") is None
    outcome.write_fatal(oracle, trial, raised)
    found = outcome.fatal(oracle, trial, "where it was raised")
    assert type(found) is (expected if isinstance(expected, type) else type(expected))
    assert isinstance(expected, type) or found.args == (expected.args or (None,))
    assert "where it was raised" in str(found.__cause__)
    outcome.write_fatal(oracle, trial, raised)
    outcome.dropped(oracle, trial)
    assert outcome.fatal(oracle, trial, "") is None


def test_what_the_oracle_refuses_in_a_worker_is_not_told_again(tuners, tmp_path):
    oracle = tuners.oracles.RandomSearchOracle("val_loss", max_trials=3)
    oracle._set_project_dir(tmp_path, "p")
    trial = oracle.create_trial("tuner0")
    with outcome.written(oracle, trial):
        oracle.update_trial(trial.trial_id, {"val_loss": 2.0}, step=1)
        with pytest.raises(ValueError, match="Objective value missing"):
            oracle.update_trial(trial.trial_id, {"other": 1.0})
    trial.metrics = type(trial.metrics)()
    outcome.told(oracle, trial)
    assert trial.metrics.get_history("val_loss")[0].step == 1 and not trial.metrics.exists("other")


FATAL = """
import os, time
import keras_tuner as kt

class Fatal(kt.RandomSearch):
    def run_trial(self, trial, *args, **kwargs):
        if trial.trial_id == "0":
            time.sleep(0.5)
        if trial.trial_id == "1" and not os.path.exists("again"):
            raise ERROR("stop it")
        return float(trial.hyperparameters.Int("a", 0, 999))

tuner = Fatal(lambda hp: None, kt.Objective("score", "max"), max_trials=9, directory="out", project_name="p")
try:
    tuner.search(verbose=0)
except ERROR as error:
    assert str(error) == "stop it" and "run_trial" in str(error.__cause__), error.__cause__
    assert {i: t.status for i, t in tuner.oracle.trials.items()} == {"0": "COMPLETED", "1": "RUNNING"}
    assert len(os.listdir("out/p/tensorboard")) == 3, "the study and two trials"
else:
    raise SystemExit("nothing was raised")
open("again", "w").close()
tuner.search(verbose=0)
assert {i: t.status for i, t in tuner.oracle.trials.items()} == {str(i): "COMPLETED" for i in range(9)}
"""


@pytest.mark.slow
@pytest.mark.parametrize("error", ["kt.errors.FatalRuntimeError", "KeyboardInterrupt"])
def test_a_fatal_error_in_a_worker_is_raised_by_the_search(tmp_path, error):
    (tmp_path / "program.py").write_text(FATAL.replace("ERROR", error), encoding="utf-8")
    run_python("-m", "tuning.keras_tuner", "program.py", folder=tmp_path, TUNE_WORKERS="2")


HOOK = """
import time
import keras_tuner as kt

class Hooked(kt.RandomSearch):
    raises = True

    def run_trial(self, trial, *args, **kwargs):
        if trial.trial_id == "0":
            time.sleep(0.5)
        return float(trial.hyperparameters.Int("a", 0, 999))

    def HOOK(self, trial):
        super().HOOK(trial)
        if trial.trial_id == "1" and self.raises:
            raise OSError("stop it")

tuner = Hooked(lambda hp: None, kt.Objective("score", "max"), max_trials=9, directory="out", project_name="p")
try:
    tuner.search(verbose=0)
except OSError as error:
    assert {i: t.status for i, t in tuner.oracle.trials.items()} == {"0": "COMPLETED", "1": "STATE"}
else:
    raise SystemExit("nothing was raised")
tuner.raises = False
tuner.search(verbose=0)
assert {i: t.status for i, t in tuner.oracle.trials.items()} == {str(i): "COMPLETED" for i in range(9)}
"""


@pytest.mark.slow
@pytest.mark.parametrize(("hook", "state"), [("on_trial_begin", "RUNNING"), ("on_trial_end", "COMPLETED")])
def test_a_hook_that_raises_ends_the_search_where_it_does_in_one_process(tmp_path, hook, state):
    text = HOOK.replace("HOOK", hook).replace("STATE", state)
    (tmp_path / "program.py").write_text(text, encoding="utf-8")
    run_python("-m", "tuning.keras_tuner", "program.py", folder=tmp_path, TUNE_WORKERS="2")
