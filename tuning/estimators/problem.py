"""What a tuned estimator searches: the space, with the data that `fit` was given.

Owns that labels stay numbers in the data, from which folds are made, and become what each trial's loss wants when the
trial is trained; and that scikit-learn's scorers score a trial.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from tuning.data import Data
from tuning.estimators.base import width_of
from tuning.estimators.inputs import Unchanged, trainable
from tuning.estimators.labels import TargetError
from tuning.estimators.scores import TRAIN, scores
from tuning.space import BoundSpace
from tuning.training.models import one_sample


class Problem(BoundSpace):
    """A space that brings the data that `fit` was given; they do not travel with it to other processes.

    Args:
        given: what a person calls a space.
        template: an estimator that has learned what samples and targets are like, and has no model.
        data: what is searched on, targets as numbers.
        scorers: scikit-learn's, by name, which are called at the end of each training; empty for none.
        scores_training: whether they score the training rows, too.
    """

    def __init__(
        self, given: Any, template: Any, data: Data, scorers: Mapping[str, Any], scores_training: bool = False
    ) -> None:
        super().__init__(given, template._get_metadata())
        self.imports = ("keras",)
        self._data: Data | None = data
        self._template = template
        self._scorers, self._scores_training = dict(scorers), scores_training

    @property
    def has_own_data(self) -> bool:
        return self._data is not None or super().has_own_data

    def load_data(self) -> Data:
        return self._data if self._data is not None else super().load_data()

    def fit(self, hp: Any, model: Any, x: Any, y: Any, **options: Any) -> Any:
        try:
            encoder = self._encoder(model, x)
        except TargetError as error:  # of this configuration; others may fit
            raise ValueError(str(error)) from None
        held = options.get("validation_data")
        if isinstance(held, tuple):
            options["validation_data"] = (trainable(held[0]), encoder.given(held[1]), *held[2:])
        outcome = self.inner.fit(hp, model, trainable(x), encoder.given(y), **options)
        if not self._scorers or not isinstance(held, tuple):
            return outcome
        found = self._scored(model, encoder, *held[:2])
        if self._scores_training:
            found |= self._scored(model, encoder, x, y, TRAIN)
        return {**outcome, **found} if isinstance(outcome, Mapping) else found

    def targets(self, model: Any, x: Any, y: Any) -> Any:
        return self._encoder(model, x).given(y)

    def _encoder(self, model: Any, x: Any) -> Any:
        """Return what encodes targets as a model wants them.

        Raises:
            TargetError: the model's outputs or its loss do not fit the targets.
        """
        encoder = copy.copy(self._template.target_encoder_)
        width = width_of(model, one_sample(x))
        encoder.suit(model, width)
        if width is not None:
            encoder.check(width)
        return encoder

    def _scored(self, model: Any, encoder: Any, x: Any, y: Any, prefix: str = "") -> dict[str, float]:
        estimator = copy.copy(self._template)
        estimator.model_, estimator.target_encoder_, estimator.feature_encoder_ = model, encoder, Unchanged()
        estimator._predict_callbacks = []
        return scores(estimator, self._scorers, x, encoder.labels(y), prefix)

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_data": None}
