"""The objective: which reported metric decides, and in which direction.

Owns the comparison of scores. It knows nothing of trials or engines. The direction of a metric is never
guessed from parts of its name: it is given, or the whole name is one of Keras's own metrics in `DIRECTIONS`, where
Keras has put the name of an output of the model before it, if there are several.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from tuning.errors import ObjectiveError

Direction = Literal["min", "max"]

_MIN = (
    "loss mse mean_squared_error mae mean_absolute_error mape mean_absolute_percentage_error "
    "msle mean_squared_logarithmic_error rmse root_mean_squared_error logcosh huber kl_divergence poisson "
    "binary_crossentropy categorical_crossentropy sparse_categorical_crossentropy hinge squared_hinge "
    "categorical_hinge false_positives false_negatives"
)
_MAX = (
    "accuracy acc binary_accuracy categorical_accuracy sparse_categorical_accuracy "
    "top_k_categorical_accuracy sparse_top_k_categorical_accuracy auc precision recall f1_score fbeta_score "
    "r2_score cosine_similarity iou binary_io_u mean_io_u one_hot_io_u one_hot_mean_io_u "
    "true_positives true_negatives precision_at_recall recall_at_precision sensitivity_at_specificity "
    "specificity_at_sensitivity"
)
DIRECTIONS: dict[str, Direction] = {
    **dict.fromkeys(_MIN.split(), "min"),
    **dict.fromkeys(_MAX.split(), "max"),
}
"""Direction of the metrics that Keras ships, by their default names."""


EPOCH_SECONDS = "seconds_per_epoch"
RESOURCES = ("n_params", "model_bytes", EPOCH_SECONDS, "predict_ms")
"""What a trained model costs, measured by the toolkit for any Keras model; less is better."""

TIMES = (EPOCH_SECONDS, "predict_ms")
"""Those that depend on the machine."""


def known_direction(metric: str, outputs: Iterable[str] = ()) -> Direction | None:
    """Return the direction of one of Keras's own metrics, with or without `val_`, or of what a model costs.

    None for any other name.

    Args:
        metric: such as "val_loss", "RootMeanSquaredError" or, with the outputs "price" and "kind", "val_price_mae".
        outputs: names of the model's outputs.
    """
    if metric in RESOURCES:
        return "min"
    name = metric.removeprefix("val_")
    whole = [name, *(name[len(o) + 1 :] for o in outputs if name.startswith(f"{o}_"))]
    # A metric that was given by the name of its class is reported by it.
    spelled = [*whole, *map(_in_snake_case, whole)]
    return next((DIRECTIONS[n] for n in spelled if n in DIRECTIONS), None)


def _in_snake_case(name: str) -> str:
    """Return "top_k_accuracy" for "TopKAccuracy", as Keras does."""
    return re.sub("([a-z])([A-Z])", r"\1_\2", re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)).lower()


@dataclass(frozen=True)
class Objective:
    """A metric that training reports, and the direction in which it gets better."""

    name: str
    direction: Direction

    @classmethod
    def parse(cls, text: str | Objective, outputs: Iterable[str] = ()) -> Objective:
        """Read "val_accuracy" or "val_rmse:min".

        Args:
            text: the name of a metric, with its direction where that is not known.
            outputs: names of the model's outputs, if it has several.

        Raises:
            ObjectiveError: the direction is neither given nor known, or is neither min nor max.
        """
        if isinstance(text, Objective):
            return text
        name, given = cls.split(text)
        direction = given or known_direction(name, outputs)
        if direction is None:
            raise ObjectiveError(
                f"`objective` must say in which direction '{name}' gets better: it is none of the metrics that "
                f"Keras ships. Write '{name}:max' or '{name}:min'."
            )
        return cls(name, direction)

    @staticmethod
    def split(text: str | Objective) -> tuple[str, Direction | None]:
        """Return the name of a metric and the direction that was given with it.

        Raises:
            ObjectiveError: `text` is no name, or the direction is neither min nor max.
        """
        if not isinstance(text, str):
            name, direction = getattr(text, "name", None), getattr(text, "direction", None)
            if not isinstance(name, str):
                raise ObjectiveError(
                    f"`objective` must be a metric's name such as 'val_accuracy' or 'val_rmse:min', but got {text!r}."
                )
            text = f"{name}:{direction}" if direction else name
        name, colon, direction = text.rpartition(":")  # a name may have colons of its own
        if not colon:
            return text, None
        if direction not in ("min", "max"):
            raise ObjectiveError(f"`objective` must end in ':min' or ':max', but got {text!r}.")
        return name, direction  # type: ignore[return-value]

    def __str__(self) -> str:
        return f"{self.name}:{self.direction}"

    @property
    def is_resource(self) -> bool:
        """Whether it is what a model costs, rather than a metric of its training."""
        return self.name in RESOURCES

    def is_better(self, score: float, than: float | None) -> bool:
        """Tell whether `score` beats `than`; anything finite beats None."""
        if than is None:
            return math.isfinite(score)
        return score > than if self.direction == "max" else score < than

    def sort_key(self, score: float) -> float:
        """Return a key that sorts the best score first."""
        return -score if self.direction == "max" else score

    def best(self, values: Iterable[float]) -> tuple[int, float] | None:
        """Return (index, value) of the first best finite value; None when there is none."""
        finite = [(self.sort_key(v), i, v) for i, v in enumerate(values) if math.isfinite(v)]
        if not finite:
            return None
        _, index, value = min(finite)
        return index, value


def listed(given: str | Objective | Sequence[str | Objective]) -> list[str | Objective]:
    """Return one objective or several as a list.

    Raises:
        ObjectiveError: none of them is a metric of training, one stands there twice, or one is no objective.
    """
    several = [given] if isinstance(given, (str, Objective)) or not isinstance(given, Sequence) else list(given)
    names = [Objective.split(one)[0] for one in several]
    if len(set(names)) < len(names):
        raise ObjectiveError(f"`objective` must name each metric once, but got {', '.join(names)}.")
    if all(name in RESOURCES for name in names):
        raise ObjectiveError(
            f"`objective` must have a metric that training reports, such as val_loss, but got {', '.join(names)}, "
            "which no training makes better."
        )
    return several


def primary(objectives: Sequence[str | Objective]) -> str | Objective:
    """Return the objective that decides about epochs: the first that training reports."""
    return next(one for one in objectives if Objective.split(one)[0] not in RESOURCES)
