"""The programs by the names of their kinds; each is a function of a folder for its files."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from tests.search_spaces.programs.base import CLASSES, HELD, ROWS, WEIGHTS, Program, X, Y, parts
from tests.search_spaces.programs.data import (
    WORDS,
    Batches,
    F1OfCallback,
    FineTuning,
    Windows,
    batches,
    build_columns,
    build_ids,
    build_images,
    build_ragged,
    build_text,
    columns,
    draw_images,
    featured,
    frame,
    images,
    of_functions,
    sparse,
    texts,
)
from tests.search_spaces.programs.models import (
    IDS,
    TAGS,
    build_accumulating,
    build_classifier,
    build_distiller,
    build_ema,
    build_gan,
    build_half,
    build_metric,
    build_mixture,
    build_outputs,
    build_physics,
    build_plain,
    build_quantiles,
    build_regressor,
    build_siamese,
    build_stateful,
    build_tagger,
    build_vae,
)

PROGRAMS: dict[str, Callable[[Path], Program]] = {
    "vae": lambda _: Program(
        build_vae, {"x": X[:ROWS], "validation_data": X[ROWS:]}, "val_total_loss:min", compiles=False
    ),
    "gan": lambda _: Program(build_gan, {"x": X[:ROWS]}, "generator_loss:min", False, False),
    "siamese": lambda _: Program(
        build_siamese, {"x": [X[:ROWS], X[:ROWS] + 0.1, X[:ROWS, ::-1]]}, "loss", False, False
    ),
    "distillation": lambda _: Program(build_distiller),
    "physics": lambda _: Program(build_physics),
    "stateful": lambda _: Program(
        build_stateful,
        {
            "x": X[:ROWS, :, None],
            "y": Y[:ROWS],
            "validation_data": (X[-16:, :, None], Y[-16:]),
            "batch_size": 16,
            "shuffle": False,
        },
        evaluates=False,  # it validates with the states that training has left
    ),
    "tagger": lambda _: Program(build_tagger, parts(IDS, TAGS)),
    "quantiles": lambda _: Program(build_quantiles, parts(X, Y)),
    "mixture": lambda _: Program(build_mixture),
    "outputs": lambda _: Program(
        build_outputs, parts(X, [Y, Y + 1], [WEIGHTS, WEIGHTS[::-1].copy()]), "val_a_loss", draws=True
    ),
    "fine-tuning": lambda _: Program(FineTuning()),
    "images": lambda folder: Program(
        build_images,
        {
            "x": partial(images, draw_images(folder), "training"),
            "validation_data": partial(images, folder, "validation"),
        },
        compiles=False,
        draws=True,
    ),
    "text": lambda _: Program(build_text, parts(tf.constant(WORDS[:, None]), Y), compiles=False),
    "text in a dataset": lambda _: Program(build_ids, of_functions(texts), compiles=False),
    "sequence": lambda _: Program(
        build_regressor,
        {"x": Batches(0, ROWS, workers=2), "validation_data": Batches(ROWS, ROWS + HELD)},
        compiles=False,
    ),
    "endless": lambda _: Program(
        build_regressor,
        of_functions(partial(batches, is_endless=True), steps_per_epoch=3, validation_steps=2),
        compiles=False,
    ),
    "ending": lambda _: Program(
        build_regressor,
        {"x": partial(batches, 0, ROWS * 2, True), "steps_per_epoch": 3, "validation_data": (X, Y)},
        compiles=False,
    ),
    "arrays and a sequence": lambda _: Program(
        build_regressor, {"x": X[:ROWS], "y": Y[:ROWS], "validation_data": Batches(ROWS, ROWS + HELD)}, compiles=False
    ),
    "columns": lambda _: Program(build_columns, parts(columns(), Y), compiles=False),
    "features": lambda _: Program(build_regressor, of_functions(featured), compiles=False),
    "table": lambda _: Program(build_regressor, parts(frame()[["size", "new"]], Y)),
    "sparse": lambda _: Program(build_regressor, parts(sparse(), Y), compiles=False),
    "ragged": lambda _: Program(
        build_ragged, parts(tf.RaggedTensor.from_row_lengths(np.arange(195) % 9, [3] * 65), Y), compiles=False
    ),
    "windows": lambda _: Program(Windows(), {"x": np.sin(np.arange(120.0)).astype("float32")}, evaluates=False),
    "class weights": lambda _: Program(
        build_classifier, {**parts(X, CLASSES), "class_weight": {0: 1.0, 1: 2.0, 2: 0.5}}, "val_accuracy"
    ),
    "sample weights": lambda _: Program(build_regressor, parts(X, Y, WEIGHTS)),
    "metric with a state": lambda _: Program(build_metric, objective="val_spread:max"),
    "f1 of a callback": lambda _: Program(F1OfCallback(), parts(X, CLASSES), "val_f1:max", evaluates=False),
    "ema": lambda _: Program(
        build_ema, {**parts(X, Y), "callbacks": [keras.callbacks.SwapEMAWeights()]}, compiles=False
    ),
    "mixed precision": lambda _: Program(build_half),
    "accumulation": lambda _: Program(build_accumulating),
    "no get_config": lambda _: Program(build_plain),
}
