"""Search Fashion-MNIST with Hyperband and keep the best model.

Run it again after an interruption: it goes on where it was.
"""

import argparse

import tuning

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--epochs", type=int, default=10, help="epochs of the longest trial")
parser.add_argument("--workers", type=int, default=2)
parser.add_argument("--logs", default="logs")
parser.add_argument("--model", default="fashion_mnist.keras", help="where the best model is saved")
arguments = parser.parse_args()

if __name__ == "__main__":
    study = tuning.search(
        "fashion_mnist",
        engine="hyperband",
        epochs=arguments.epochs,
        options={"factor": 3},
        seed=42,
        workers=arguments.workers,
        logs=arguments.logs,
        study="tune_fashion_mnist",
    )
    print(
        f"best {study.objective.name} {study.best.score:.4f} in epoch {study.best.best_epoch} with {study.best_values}"
    )
    study.best_model().save(arguments.model)
    print(f"saved {arguments.model}; look at all trials with: tune board {study.path}")
