"""Memory stays bounded in a long search of models that all have another architecture."""

import json
import subprocess
import sys

import pytest

PROGRAM = """
import json, sys, threading
import keras, numpy, psutil
import tuning
from tuning.executors import processes

FOLDER, (N_TRIALS, WORKERS, BUDGET) = sys.argv[1], map(int, sys.argv[2:])

class Wide(tuning.SearchSpace):
    name, objective = "wide", "val_loss"

    def build(self, hp):
        model = keras.Sequential([keras.layers.Dense(hp.Int("units", 1, 2000), "relu"), keras.layers.Dense(1)])
        model.compile("sgd", "mse")
        return model

class Scale(tuning.Observer):
    def __init__(self):
        self.driver, self.most, self.workers, self.ended = [], 0, set(), threading.Event()

    def trial_ended(self, trial):
        self.driver.append(psutil.Process().memory_info().rss / 2**20)

    def watch(self):
        while not self.ended.wait(0.1):
            for child in psutil.Process().children(recursive=True):
                try:
                    memory = child.memory_info()
                except psutil.NoSuchProcess:
                    continue
                self.workers.add(child.pid)
                self.most = max(self.most, (memory.rss - memory.shared) / 1e6)  # what no other process has, too

if __name__ == "__main__":
    if BUDGET:
        processes.free_bytes = lambda: BUDGET
    x = numpy.random.default_rng(0).normal(size=(400, 8)).astype("float32")
    y = x[:, :1] * x[:, 1:2]
    scale = Scale()
    watcher = threading.Thread(target=scale.watch)
    watcher.start()
    study = tuning.search(Wide(), x[:300], y[:300], validation_data=(x[300:], y[300:]), engine="random", epochs=1,
                          trials=N_TRIALS, seed=0, workers=WORKERS, in_process=False, logs=FOLDER, observers=[scale])
    scale.ended.set()
    watcher.join()
    n = len(scale.driver) // 4
    growth = (scale.driver[-1] - scale.driver[n]) / (len(scale.driver) - n)
    states = sorted({trial.state.value for trial in study.trials})
    print(json.dumps({"trials": len(study.trials), "states": states, "compiled": all(t.compiled for t in study.trials),
                      "growth": growth, "most": scale.most, "workers": len(scale.workers) - 1}))  # without the guardian
"""


def measured(*given):
    done = subprocess.run([sys.executable, "-c", PROGRAM, *map(str, given)], capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.exhaustive
def test_200_architectures_leave_workers_small_and_the_driver_as_it_was(tmp_path):
    found = measured(tmp_path, 200, 2, 0)
    assert found["trials"] == 200 and found["compiled"]
    assert found["most"] < 3000, found  # MB
    assert found["growth"] < 0.2, found  # MB a trial


@pytest.mark.exhaustive
def test_150_architectures_in_one_worker_stay_within_what_it_may_have(tmp_path):
    found = measured(tmp_path, 150, 1, 530_000_000)  # a fresh worker has 340 of its own, and an architecture takes 4
    assert found["trials"] == 150 and found["compiled"] and found["states"] == ["COMPLETED"]
    assert found["workers"] > 2, "it was replaced"
    assert found["most"] < 530, found  # MB
