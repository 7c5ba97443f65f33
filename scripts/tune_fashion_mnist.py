"""Search Fashion-MNIST with Hyperband and save the best model; run again, it goes on where it was."""

import argparse

import tuning

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--epochs", type=int, default=10, help="epochs of the longest trial")
parser.add_argument("--workers", type=int, default=2)
parser.add_argument("--logs", default="logs")
parser.add_argument("--model", default="fashion_mnist.keras", help="where the best model is saved")
arguments = parser.parse_args()

search = {"engine": "hyperband", "options": {"factor": 3}, "epochs": arguments.epochs, "seed": 42}
study = tuning.search(
    "fashion_mnist", workers=arguments.workers, logs=arguments.logs, study="tune_fashion_mnist", **search
)
print(f"best {study.objective.name} {study.best.score:.4f} in epoch {study.best.best_epoch} with {study.best.values}")
study.best_model().save(arguments.model)
print(f"saved {arguments.model}; look at all trials with: tune board {study.path}")
