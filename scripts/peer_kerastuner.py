"""Search Fashion-MNIST with KerasTuner's own tuners: what `scripts/benchmark.py` compares with.

The space is the bundled one, with all hyperparameters known from the start, so that the same seed gives the same
configurations.
"""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--engine", choices=["random", "hyperband", "bayesian"], default="random")
parser.add_argument("--trials", type=int, default=5)
parser.add_argument("--epochs", type=int, default=10)
parser.add_argument("--iterations", type=int, default=2)
parser.add_argument("--patience", type=int)
parser.add_argument("--seed", type=int, default=42)


def main() -> None:
    arguments = parser.parse_args()
    import keras
    import keras_tuner

    from search_spaces.fashion_mnist import space

    hp = keras_tuner.HyperParameters()
    space.build(hp)
    hp.Boolean("normalize", default=False)
    hp.Choice("batch_size", [16, 32, 64, 128], default=32)
    with tempfile.TemporaryDirectory() as folder:
        common = {
            "hypermodel": space.hypermodel(),
            "objective": "val_accuracy",
            "seed": arguments.seed,
            "hyperparameters": hp,
            "directory": folder,
            "project_name": "peer",
        }
        if arguments.engine == "random":
            tuner = keras_tuner.RandomSearch(max_trials=arguments.trials, **common)
        elif arguments.engine == "bayesian":
            tuner = keras_tuner.BayesianOptimization(max_trials=arguments.trials, **common)
        else:
            tuner = keras_tuner.Hyperband(
                max_epochs=arguments.epochs, factor=3, hyperband_iterations=arguments.iterations, **common
            )
        data = space.load_data()
        callbacks = [] if arguments.patience is None else [
            keras.callbacks.EarlyStopping("val_accuracy", mode="max", patience=arguments.patience)
        ]  # fmt: skip
        tuner.search(
            data.x, data.y, validation_data=data.validation, epochs=arguments.epochs, callbacks=callbacks, verbose=0
        )
        trials = tuner.oracle.get_best_trials(10**6)
    print(json.dumps({
        "best": max(t.score for t in trials if t.score is not None),
        "n_trials": len(trials),
        "values": [t.hyperparameters.values for t in sorted(trials, key=lambda t: t.trial_id)],
    }))  # fmt: skip


if __name__ == "__main__":
    main()
