"""The objective: which reported metric decides, and in which direction.

Owns the comparison of scores. It knows nothing of trials or engines. The direction of a metric is never
guessed from parts of its name: it is given, or the whole name is one of Keras's own metrics in `DIRECTIONS`.
"""

from __future__ import annotations

import math
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
    **dict.fromkeys(_MIN.split(), "min"),  # type: ignore[dict-item]
    **dict.fromkeys(_MAX.split(), "max"),  # type: ignore[dict-item]
}
"""Direction of the metrics that Keras ships, by their default names."""


RESOURCES = ("n_params", "model_bytes", "seconds_per_epoch", "predict_ms")
"""What a trained model costs, measured by the toolkit for any Keras model; less is better."""


def known_direction(metric: str) -> Direction | None:
    """Return the direction of one of Keras's own metrics, with or without `val_`, or of what a model costs.

    None for any other name.
    """
    return "min" if metric in RESOURCES else DIRECTIONS.get(metric.removeprefix("val_"))


@dataclass(frozen=True)
class Objective:
    """A metric that training reports, and the direction in which it gets better."""

    name: str
    direction: Direction

    @classmethod
    def parse(cls, text: str | Objective) -> Objective:
        """Read "val_accuracy" or "val_rmse:min".

        Raises:
            ObjectiveError: the direction is neither given nor known, or is neither min nor max.
        """
        if isinstance(text, Objective):
            return text
        if not isinstance(text, str):
            name, direction = getattr(text, "name", None), getattr(text, "direction", None)
            if not isinstance(name, str):
                raise ObjectiveError(
                    f"`objective` must be a metric's name such as 'val_accuracy' or 'val_rmse:min', but got {text!r}."
                )
            text = f"{name}:{direction}" if direction else name
        name, _, given = text.partition(":")
        direction = given or known_direction(name)
        if direction is None:
            raise ObjectiveError(
                f"`objective` must say in which direction '{name}' gets better: it is none of the metrics that "
                f"Keras ships. Write '{name}:max' or '{name}:min'."
            )
        if direction not in ("min", "max"):
            raise ObjectiveError(f"`objective` must end in ':min' or ':max', but got {text!r}.")
        return cls(name, direction)  # type: ignore[arg-type]

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


def parse_objectives(given: str | Objective | Sequence[str | Objective]) -> tuple[Objective, ...]:
    """Read one objective or several.

    Raises:
        ObjectiveError: none of them is a metric of training, or one stands there twice.
    """
    several = [given] if isinstance(given, (str, Objective)) or not isinstance(given, Sequence) else given
    objectives = tuple(map(Objective.parse, several))
    names = [objective.name for objective in objectives]
    if len(set(names)) < len(names):
        raise ObjectiveError(f"`objective` must name each metric once, but got {', '.join(names)}.")
    if all(objective.is_resource for objective in objectives):
        raise ObjectiveError(
            f"`objective` must have a metric that training reports, such as val_loss, but got {', '.join(names)}, "
            "which no training makes better."
        )
    return objectives


def primary(objectives: Sequence[Objective]) -> Objective:
    """Return the objective that decides about epochs: the first that training reports."""
    return next(objective for objective in objectives if not objective.is_resource)
