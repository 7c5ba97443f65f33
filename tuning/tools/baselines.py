"""scikit-learn's counterparts, fitted on a space's own splits: what a search should beat.

Owns which models these are, how inputs and targets become the tables that they need, and the record of their scores,
a JSON file in the folder of all studies. Scores are those of the validation split; the test split is not touched.
"""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from tuning.data import Data
from tuning.errors import DataError, OptionError, briefly, guess, must
from tuning.files import write_text
from tuning.records.objective import Objective
from tuning.space import as_space, resolve
from tuning.storage.reading import checked

FOLDER = "baselines"
HIDDEN = (50, 50, 50)
SEED = 42
MAX_VALUES = 8_000_000
"""Most numbers (samples times features) to fit on by default: a minute a model on two cores, not an hour."""
MAX_BOOSTED = 5_000
"""Most features times classes that boosting takes on unasked: Fashion-MNIST's 784 times 10 take some ten minutes."""

MODELS = ("mlp", "linear", "boosting")
Task = Literal["classification", "regression"]
_SAME = {
    **dict.fromkeys(("accuracy", "acc", "binary_accuracy", "categorical_accuracy"), "accuracy"),
    **dict.fromkeys(("sparse_categorical_accuracy",), "accuracy"),
    **dict.fromkeys(("rmse", "root_mean_squared_error"), "rmse"),
    **dict.fromkeys(("mse", "mean_squared_error"), "mse"),
    **dict.fromkeys(("mae", "mean_absolute_error"), "mae"),
    "r2_score": "r2_score",
}
"""Keras's names of the metrics that are computed here."""


@dataclass(frozen=True)
class Fitted:
    """One fitted model.

    Attributes:
        name: one of `MODELS`.
        what: the class and what matters of its arguments.
        scores: metrics on the validation split.
        seconds: wall time of fitting.
        note: why it was not fitted, then without scores; else empty.
    """

    name: str
    what: str
    scores: Mapping[str, float]
    seconds: float
    note: str = ""


@dataclass(frozen=True)
class Baseline:
    """The baselines of a space.

    Attributes:
        space: the space's name.
        task: classification or regression.
        objective: what the space optimises, as text.
        output: which of several outputs it is about; None for the only one.
        n_training: samples fitted on.
        n_available: samples of the training split.
        data: fingerprint of the data, by which the studies are found that it stands beside.
        models: what was fitted.
    """

    space: str
    task: Task
    objective: str
    output: str | None
    n_training: int
    n_available: int
    data: Mapping[str, str]
    models: tuple[Fitted, ...]

    def score(self, model: Fitted, objective: Objective) -> float | None:
        """Return a model's score that compares with a study's objective; None when there is no counterpart."""
        name = objective.name.removeprefix("val_")
        if self.output is not None:
            if not name.startswith(f"{self.output}_"):
                return None
            name = name.removeprefix(f"{self.output}_")
        return model.scores.get(_SAME.get(name, ""))

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object; `from_json` reads it."""
        return {**asdict(self), "models": [asdict(model) for model in self.models]}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Baseline:
        """Read what `to_json` wrote."""
        return checked(cls(**{**record, "models": tuple(checked(Fitted(**model)) for model in record["models"])}))


@briefly
def baseline(
    space: Any,
    *,
    data: Data | None = None,
    objective: str | Objective | None = None,
    models: Sequence[str] | None = None,
    limit: int | None = None,
    logs: str | Path = "logs",
    listener: Callable[[str], None] | None = None,
) -> Baseline:
    """Fit scikit-learn's models on a space's training split, score them on its validation split, store that.

    Inputs are flattened and put side by side. Of several outputs the objective names one: `val_main_rmse` is about
    the output `main`.

    Args:
        space: as for `search`.
        data: default: the space's own.
        objective: default: the space's own.
        models: some of "mlp" (three layers of 50), "linear" and "boosting" (histogram gradient boosting); default:
            all that take no more than a minute or so.
        limit: fit on the first so many samples of the training split, 0 for all; default: as many as take no more
            than a minute or so for each model.
        logs: folder of all studies.
        listener: told the name of each model before it is fitted.

    Raises:
        OptionError: there is no such model.
        DataError: there are no validation data, or the data are no arrays.
    """
    for name in models or ():
        if name not in MODELS:
            raise OptionError(must("models", f"be some of {', '.join(MODELS)}", name, guess(name, MODELS)))
    folder = Path(logs).absolute() / FOLDER  # now: a space may change the working folder
    problem = as_space(resolve(space) if isinstance(space, str) else space)
    goal = Objective.parse(objective if objective is not None else problem.objective)
    given = data if data is not None else problem.load_baseline_data()
    if not isinstance(given.validation, tuple) or given.y is None:
        raise DataError(f"'{problem.name}' must have arrays to train and to validate on, (x, y) each, but has not.")
    x, x_validation = table_of(given.x), table_of(given.validation[0])
    output, metric = _output(given.y, goal)
    y, y_validation = (_targets(part, output) for part in (given.y, given.validation[1]))
    task = _task(metric, y)
    n = min(len(x), max(1, MAX_VALUES // x.shape[1]) if limit is None else limit or len(x))
    fitted = []
    width = x.shape[1] * (len(np.unique(y)) if task == "classification" else y[0].size)
    for name in MODELS if models is None else models:
        if models is None and name == "boosting" and width > MAX_BOOSTED:
            note = f"{x.shape[1]} features and {width // x.shape[1]} classes take long; ask for it to have it"
            fitted.append(Fitted(name, "", {}, 0.0, note))
            continue
        if listener is not None:
            listener(name)
        fitted.append(_fitted(name, task, x[:n], y[:n], x_validation, y_validation))
    record = Baseline(
        space=problem.name,
        task=task,
        objective=str(goal),
        output=None if output is None else str(output),
        n_training=n,
        n_available=len(x),
        data=(data if data is not None else problem.load_data()).fingerprint(),
        models=tuple(fitted),
    )
    write_text(folder / f"{problem.name}.json", json.dumps(record.to_json(), indent=2) + "\n")
    return record


def beside(logs: str | Path, data: Mapping[str, Any]) -> list[Baseline]:
    """Return the stored baselines on the same data, whatever space they were made for."""
    found = []
    for path in sorted((Path(logs) / FOLDER).glob("*.json")):
        try:
            record = Baseline.from_json(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError):
            continue  # not one of ours, or of another version
        if record.data == data:
            found.append(record)
    return found


def table_of(x: Any) -> np.ndarray:
    """Return inputs of any structure as one table, float64 [n, n_features], in which scikit-learn computes.

    Raises:
        DataError: they are no arrays of numbers.
    """
    parts = list(_leaves(x))
    try:
        flat = [np.asarray(part).reshape(len(part), -1) for part in parts]
        return np.concatenate([part.astype(np.float64) for part in flat], axis=1)
    except (TypeError, ValueError) as error:
        raise DataError(
            f"the inputs must be arrays of numbers for a baseline, but could not be read: {error}."
        ) from None


def _leaves(x: Any) -> Iterator[Any]:
    if isinstance(x, Mapping):
        x = list(x.values())
    if isinstance(x, (list, tuple)):
        for part in x:
            yield from _leaves(part)
    elif hasattr(x, "toarray"):
        yield x.toarray()
    else:
        yield x


def _output(y: Any, goal: Objective) -> tuple[Any, str]:
    """Return the output that the objective is about (None for the only one), and its metric without prefixes."""
    name = goal.name.removeprefix("val_")
    if not isinstance(y, Mapping):
        return None, name
    named = [key for key in y if name.startswith(f"{key}_")]
    if not named:
        raise DataError(
            f"`objective` must name one of the outputs {', '.join(map(str, y))} for a baseline, but got '{goal.name}'. "
            f"Write for example val_{next(iter(y))}_{name}."
        )
    return named[0], name.removeprefix(f"{named[0]}_")


def _targets(y: Any, output: Any) -> np.ndarray:
    """Return the targets [n] or [n, width]; one-hot rows become class numbers."""
    values: np.ndarray = np.asarray(y if output is None else y[output])
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim == 2 and _are_one_hot(values):
        classes: np.ndarray = values.argmax(axis=1)
        return classes
    return values


def _are_one_hot(values: np.ndarray) -> bool:
    return bool(np.isin(values, (0, 1)).all() and (values.sum(axis=1) == 1).all())


def _task(metric: str, y: np.ndarray) -> Task:
    """Return what the metric says, or else the targets: whole numbers, few of them, are classes."""
    known = _SAME.get(metric)
    if known is not None:
        return "classification" if known == "accuracy" else "regression"
    is_whole = y.dtype.kind in "iubUSO" or bool((y == np.floor(y)).all())
    return "classification" if y.ndim == 1 and is_whole and len(np.unique(y)) <= 100 else "regression"


def _fitted(name: str, task: Task, x: Any, y: Any, x_validation: Any, y_validation: Any) -> Fitted:
    from sklearn.exceptions import ConvergenceWarning

    model, what = _model(name, task, y.ndim > 1)
    if task == "classification" and y.dtype.kind == "f":
        y, y_validation = y.astype(int), y_validation.astype(int)
    elif task == "regression":
        y = y.astype(np.float64)
    started = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the limits are part of what the models are
        model.fit(x, y)
    seconds = time.perf_counter() - started
    return Fitted(name, what, _metrics(task, y_validation, model.predict(x_validation)), round(seconds, 3))


def _model(name: str, task: Task, several: bool) -> tuple[Any, str]:
    """Return an unfitted model and what it is."""
    from sklearn import ensemble, linear_model, neural_network
    from sklearn.multioutput import MultiOutputRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    classify = task == "classification"
    if name == "mlp":
        kind = neural_network.MLPClassifier if classify else neural_network.MLPRegressor
        model = kind(hidden_layer_sizes=HIDDEN, random_state=SEED)
        return make_pipeline(StandardScaler(), model), f"{kind.__name__} of {'-'.join(map(str, HIDDEN))}"
    if name == "linear":
        model = linear_model.LogisticRegression() if classify else linear_model.LinearRegression()
        return make_pipeline(StandardScaler(), model), type(model).__name__
    kind = ensemble.HistGradientBoostingClassifier if classify else ensemble.HistGradientBoostingRegressor
    model = kind(random_state=SEED)
    return MultiOutputRegressor(model) if several else model, kind.__name__


def _metrics(task: Task, y: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    if task == "classification":
        return {"accuracy": float((y == predicted).mean())}
    y, predicted = y.astype(np.float64), predicted.astype(np.float64)
    mse = float(((y - predicted) ** 2).mean())
    total = float(((y - y.mean(axis=0)) ** 2).mean())
    return {
        "rmse": mse**0.5,
        "mse": mse,
        "mae": float(abs(y - predicted).mean()),
        "r2_score": 1 - mse / total if total else 0.0,
    }
