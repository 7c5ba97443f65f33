"""Train the tables that `compare_engines.py --replay` looks engines up in: configurations with all their curves.

    python scripts/make_tables.py                     all tables, in pieces: stopped, it goes on when it is run again
    python scripts/make_tables.py --only digits --trials 50

Each table is an ordinary study: Sobol points, every one trained with two seeds to its last epoch whatever its curve
looks like. When a piece is complete its trials are written to scripts/tables/NAME.npz: the configurations and the
hyperparameters as JSON, the objective of every epoch as [configuration, seed, epoch] float32. A table that has more
configurations already is left as it is: a search that begins anew elsewhere comes to the same ones.

The spaces are those of the bundled problems, made for tables: of what shapes a program there are few values, so that
many configurations share one, and of the large data sets a part is trained on. Two are conditional.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import tuning  # noqa: E402
from search_spaces import _mlp, california_housing, diabetes, digits, fashion_mnist  # noqa: E402

TABLES = ROOT / "scripts" / "tables"
EPOCHS = 10
N_SEEDS = 2
PIECES = 4
"""Parts of the tables that are trained in turn, so that all of them grow together."""


def hidden_layers(hp: Any, least: int) -> list[Any]:
    """Return `least` to three layers; how wide they are is asked for only where there are any."""
    n_hidden = hp.Int("n_hidden", least, 3, default=2)
    with hp.conditional_scope("n_hidden", list(range(max(least, 1), 4))):
        n_neurons = hp.Int("n_neurons", 16, 128, step=2, sampling="log", default=64)
    return _mlp.hidden_layers(n_hidden, n_neurons)


def optimizer(hp: Any) -> Any:
    """Return one of three optimizers; momentum is asked for with SGD alone, and weight decay with AdamW alone."""
    import keras

    rate = hp.Float("learning_rate", 1e-4, 1e-1, sampling="log", default=1e-2)
    kind = hp.Choice("optimizer", ["sgd", "adam", "adamw"])
    with hp.conditional_scope("optimizer", ["sgd"]):
        momentum = hp.Choice("momentum", [0.0, 0.9, 0.99])
    with hp.conditional_scope("optimizer", ["adamw"]):
        weight_decay = hp.Choice("weight_decay", [1e-3, 1e-2, 1e-1])
    if kind == "sgd":
        return keras.optimizers.SGD(rate, momentum=momentum)
    return keras.optimizers.AdamW(rate, weight_decay) if kind == "adamw" else keras.optimizers.Adam(rate)


class Digits(digits.Digits):
    """Flat: what is asked for always applies."""

    def build(self, hp: Any) -> Any:
        layers = hp.Int("n_hidden", 1, 3, default=2) * [
            hp.Int("n_neurons", 16, 128, step=2, sampling="log", default=64)
        ]
        hidden = [layer for width in layers for layer in _mlp.hidden_layers(1, width)]
        return fashion_mnist.classifier(hidden, _mlp.optimizer(hp), (8, 8), 10)

    def fit(self, hp: Any, model: Any, x: Any, y: Any = None, **kwargs: Any) -> Any:
        return fashion_mnist.fit_model(hp, model, x, y, batch_sizes=(8, 32, 128), **kwargs)


class Diabetes(diabetes.Diabetes):
    """Flat; the initializer and the batch size change much here, where an epoch has eight batches."""

    def build(self, hp: Any) -> Any:
        n_hidden, n_neurons = hp.Int("n_hidden", 1, 3), hp.Int("n_neurons", 16, 128, step=2, sampling="log", default=64)
        activation = hp.Choice("activation", ["relu", "tanh"])
        hidden = _mlp.hidden_layers(n_hidden, n_neurons, activation)
        rate = hp.Float("learning_rate", 1e-4, 1e-1, sampling="log", default=1e-2)
        kind = hp.Choice("optimizer", ["sgd", "adam"])
        import keras

        made = keras.optimizers.SGD(rate) if kind == "sgd" else keras.optimizers.Adam(rate)
        return california_housing.regressor(hidden, made, "mse", 10)

    def fit(self, hp: Any, model: Any, x: Any, y: Any = None, **kwargs: Any) -> Any:
        kwargs["batch_size"] = _mlp.batch_size(hp, kwargs, (8, 32))
        return california_housing.fit_model(model, x, y, **kwargs)


class California(california_housing.CaliforniaHousing):
    """Conditional on the optimizer."""

    name = "california_housing_full"

    def build(self, hp: Any) -> Any:
        return california_housing.regressor(hidden_layers(hp, 1), optimizer(hp), hp.Choice("loss", ["mse", "huber"]), 8)

    def fit(self, hp: Any, model: Any, x: Any, y: Any = None, **kwargs: Any) -> Any:
        kwargs["batch_size"] = _mlp.batch_size(hp, kwargs, (32, 128))
        return california_housing.fit_model(model, x, y, **kwargs)


class Fashion(fashion_mnist.FashionMnist):
    """Conditional on the optimizer, and on whether there are hidden layers."""

    name = "fashion_mnist_full"

    def build(self, hp: Any) -> Any:
        return fashion_mnist.classifier(hidden_layers(hp, 0), optimizer(hp), (28, 28), 10)

    def fit(self, hp: Any, model: Any, x: Any, y: Any = None, **kwargs: Any) -> Any:
        return fashion_mnist.fit_model(hp, model, x, y, batch_sizes=(32, 128), **kwargs)


SPACES = (Digits(), Diabetes(), California(), Fashion())
SIZES = {"california_housing_full": (3000, 1500), "fashion_mnist_full": (3000, 2000)}
"""Training and validation samples, where not all are used."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=[space.name for space in SPACES], help="one table")
    parser.add_argument("--trials", type=int, default=200, help="configurations of each table")
    parser.add_argument("--logs", type=Path, default=ROOT / "logs" / "tables", help="where the studies are")
    arguments = parser.parse_args()
    for piece in range(1, PIECES + 1):
        for space in SPACES:
            if arguments.only in (None, space.name):
                study = trained(space, arguments.trials * piece // PIECES, arguments.logs)
                print(f"{space.name}: {len(study.trials)} configurations in {written(space.name, study)}", flush=True)


def trained(space: tuning.SearchSpace, trials: int, logs: Path) -> tuning.Study:
    """Search a space at Sobol points, or go on with it."""
    data = space.load_data()
    training, validation = SIZES.get(space.name, (len(data.x), len(data.validation[0])))
    return tuning.search(
        space,
        data.x[:training],
        data.y[:training],
        validation_data=tuple(part[:validation] for part in data.validation),
        engine="optuna",
        options={"sampler": "qmc", "pruner": "none"},
        trials=trials,
        epochs=EPOCHS,
        repeats=N_SEEDS,
        patience=0,
        seed=0,
        study=space.name,
        logs=logs,
        keep=0,
        verbose=0,
    )


def written(name: str, study: tuning.Study) -> Path:
    """Write a study's curves, unless more are there; epochs not trained, because training diverged, are NaN."""
    objective, trials = study.objective, [trial for trial in study.trials if trial.state.is_finished]
    curves = np.full((len(trials), N_SEEDS, EPOCHS), np.nan, np.float32)
    for row, trial in enumerate(trials):
        for seed, part in enumerate(trial.trainings):
            values = part.curve.values(objective.name)
            curves[row, seed, : len(values)] = values
    TABLES.mkdir(exist_ok=True)
    path = TABLES / f"{name}.npz"
    if path.is_file() and len(np.load(path)["curves"]) > len(curves):
        return path
    np.savez_compressed(
        path,
        curves=curves,
        values=np.array(json.dumps([dict(trial.values) for trial in trials])),
        space=np.array(json.dumps([h.to_json() for h in study.definition.hyperparameters])),
        objective=np.array(f"{objective.name}:{objective.direction}"),
    )
    return path


if __name__ == "__main__":
    main()
