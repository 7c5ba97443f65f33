"""Trains and validates on data that come in batches, many at a time.

Owns what becomes of the pieces that `batches` reads: a program of the model's for each kind of piece, and Keras's own
function, batch by batch, for those that no program is there for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from tuning.compiled import backends, cache
from tuning.compiled.arrays import Samples
from tuning.compiled.batches import Piece, Stream
from tuning.compiled.state import flat

MOST_PROGRAMS = 4
"""Kinds of pieces, of training and validation together, that a program is made for: texts of every length would have
one each."""

Source = Samples | Stream


class Streamed:
    """The epochs of one `fit` whose data come in batches.

    Args:
        model: compiled; need not be built.
        training: what to train on.
        validation: what to validate on, or None.
        build: makes the variables that training needs, of a first piece.
        by_xla: whether XLA is to compile the programs.
        refused: told once why batches are trained one by one, if they are.
    """

    def __init__(
        self,
        model: Any,
        training: Source,
        validation: Source | None,
        build: Callable[[Any, Samples], None],
        by_xla: Callable[[Any], bool],
        refused: Callable[[str], None],
    ) -> None:
        self._model, self._sources = model, {"train": training, "test": validation}
        self._build, self._by_xla, self._refused = build, by_xla, refused
        self._programs: dict[Any, tuple[Any, cache.Names] | None] = {}
        if isinstance(training, Stream):
            training.begin()
        self.n_batches = training.n_batches
        """Batches of an epoch."""

    def run(self, order: Any, validate: bool, only_one: bool) -> tuple[dict[str, Any], dict[str, Any]]:
        """Train an epoch, and validate it; return the logs of both.

        Args:
            order: of the samples to train on, where they are arrays.
            validate: whether to validate.
            only_one: whether to stop after the first batch.
        """
        logs = self._phase("train", order, only_one)
        return logs, self._phase("test", None, False) if validate else {}

    def _phase(self, phase: str, order: Any, only_one: bool) -> dict[str, Any]:
        logs: dict[str, Any] = {}
        self._model.reset_metrics()
        for piece in self._pieces(phase, only_one):
            logs = self._run(phase, piece, order)
        return logs

    def _pieces(self, phase: str, only_one: bool) -> Iterator[Piece | Samples]:
        source = self._sources[phase]
        if isinstance(source, Samples):
            yield source
            return
        if source is None:
            return
        if phase == "test":  # always the same batches, where there are more than it takes
            source.begin()
        for piece in source.pieces():
            yield Piece(piece.batches[:1], piece.capacity) if only_one else piece
            if only_one:
                return

    def _run(self, phase: str, piece: Piece | Samples, order: Any) -> dict[str, Any]:
        samples = piece if isinstance(piece, Samples) else None
        try:
            samples = piece.samples if isinstance(piece, Piece) else piece
            made = self._program_for(phase, piece, samples)
        except Exception as error:
            if isinstance(piece, Samples):
                raise
            # Keras finds the same in these batches, or does without what failed here.
            self._refused(f"{type(error).__name__}: {error}")
            made = None
        if made is None or samples is None:
            return self._one_by_one(phase, piece.batches if isinstance(piece, Piece) else [])
        compiled, names = made
        is_training = phase == "train"
        order = np.arange(samples.size if is_training else 0, dtype="int32") if order is None else order
        values = compiled.run(
            backends.current().state_of(self._model),
            samples if is_training else None,
            None if is_training else samples,
            order,
            samples.n_rows if is_training else 0,
            validate=not is_training,
            begins=False,
        )[not is_training]
        return dict(zip(names[not is_training], values, strict=True))

    def _program_for(self, phase: str, piece: Piece | Samples, samples: Samples) -> tuple[Any, cache.Names] | None:
        key = phase, str(piece.form) if isinstance(piece, Piece) else None
        if key not in self._programs:
            if len(self._programs) >= MOST_PROGRAMS:
                return None
            self._programs[key] = None  # unless there comes to be one
            self._build(self._model, samples)
            training, validation = (samples, None) if phase == "train" else (None, samples)
            by_xla = self._by_xla(self._model)
            made, names, _ = cache.program_for(self._model, training, validation, by_xla)
            self._programs[key] = made, names
        mistake = backends.current().mistake(self._model, samples)
        return self._programs[key] if mistake is None else None

    def _one_by_one(self, phase: str, batches: Iterable[Any]) -> dict[str, Any]:
        model = self._model
        model.make_train_function()
        model.make_test_function()
        function = model.train_function if phase == "train" else model.test_function
        for batch in batches:
            logs = function(iter([batch]))
        return {name: np.asarray(value) for name, value in flat(logs).items()}
