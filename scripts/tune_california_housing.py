"""Compare random search and Bayesian optimisation on California housing, each with the same number of trials."""

import argparse

import tuning

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--trials", type=int, default=10)
parser.add_argument("--epochs", type=int, default=20)
parser.add_argument("--logs", default="logs")
arguments = parser.parse_args()

search = {"trials": arguments.trials, "epochs": arguments.epochs, "seed": 42, "workers": 2, "logs": arguments.logs}
for engine in ("random", "bayesian"):
    study = tuning.search("california_housing", engine=engine, study=f"tune_california_housing-{engine}", **search)
    print(f"{engine}: best validation RMSE {study.best.score:.4f} with {study.best.values}")
names = "tune_california_housing-random tune_california_housing-bayesian"
print(f"side by side: tune board {names} --logs {arguments.logs}")
