"""Memory stays bounded in a long search of models that all have another architecture."""

import json
import subprocess
import sys

import pytest

PROGRAM = """
import json, sys
import keras, numpy, psutil
import tuning

N_TRIALS = 200

class Wide(tuning.SearchSpace):
    name, objective = "wide", "val_loss"

    def build(self, hp):
        layers = [keras.layers.Dense(hp.Int(f"units_{i}", 1, 200), activation="relu") for i in range(2)]
        model = keras.Sequential([*layers, keras.layers.Dense(1)])
        model.compile("adam", "mse")
        return model

class Scale(tuning.Observer):
    def __init__(self):
        self.driver, self.worker, self.workers = [], [], set()

    def trial_ended(self, trial):
        me = psutil.Process()
        self.driver.append(me.memory_info().rss / 2**20)
        for child in me.children(recursive=True):
            try:
                self.worker.append(child.memory_info().rss / 2**20)
                self.workers.add(child.pid)
            except psutil.NoSuchProcess:
                pass

if __name__ == "__main__":
    x = numpy.random.default_rng(0).normal(size=(400, 8)).astype("float32")
    y = x[:, :1] * x[:, 1:2]
    scale = Scale()
    study = tuning.search(Wide(), x[:300], y[:300], validation_data=(x[300:], y[300:]), engine="random",
                          trials=N_TRIALS, epochs=2, seed=0, workers=2, logs=sys.argv[1], observers=[scale])
    growth = (scale.driver[-1] - scale.driver[49]) / (N_TRIALS - 50)
    print(json.dumps({"trials": len(study.trials), "compiled": all(t.compiled for t in study.trials),
                      "growth": growth, "most": max(scale.worker), "workers": len(scale.workers)}))
"""


@pytest.mark.exhaustive
def test_200_architectures_leave_workers_small_and_the_driver_as_it_was(tmp_path):
    done = subprocess.run([sys.executable, "-c", PROGRAM, str(tmp_path)], capture_output=True, text=True, check=True)
    measured = json.loads(done.stdout.splitlines()[-1])
    assert measured["trials"] == 200 and measured["compiled"]
    assert measured["most"] < 3000, measured  # MB
    assert measured["growth"] < 0.2, measured  # MB a trial
