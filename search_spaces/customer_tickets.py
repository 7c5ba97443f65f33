"""Customer tickets: how urgent a ticket is and which department it is for; three inputs, two outputs.

Data: 1,280 synthetic tickets drawn with a fixed seed
Task: from the words of the title and of the text body, each a multi-hot uint8 [n, 10000], and 100 tags, uint8
[n, 100], predict the priority, float32 [n] 0 or 1, by a sigmoid, and the department, uint8 [n] in 0..3, by a softmax.
960 training, 160 validation and 160 test tickets. Losses and metrics are given by the names of the outputs; the
objective is the department's accuracy.

The words follow Zipf's law. Each department has words and tags of its own, which its tickets prefer; urgent tickets
prefer the words of a list of their own.

Reference figures (accuracy on the validation split, the default model, 10 epochs):

    department       0.78, always the most frequent one 0.32
    priority         0.87, always not urgent 0.57
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from search_spaces import _mlp
from tuning.data import Data
from tuning.space import SearchSpace

WIDTHS = {"title": 10_000, "text_body": 10_000, "tags": 100}
DEPARTMENTS = ("billing", "delivery", "returns", "technical")
N_TICKETS = {"training": 960, "validation": 160, "test": 160}
URGENT_SHARE = 0.4

# Of each input: how many words (or tags) a ticket has, how many its department calls its own, and how many of its
# words are of the department's and of the urgent ones, as shares.
_N_WORDS = {"title": 8, "text_body": 60, "tags": 4}
_N_OWN = {"title": 100, "text_body": 100, "tags": 20}
_OWN_SHARE = {"title": 0.1, "text_body": 0.05, "tags": 0.1}
_URGENT = {"title": 0.25, "text_body": 0.06, "tags": 0.0}


def build_model(hp: Any) -> Any:
    """Return a compiled model of a title, a text body and tags with outputs "priority" and "department".

    Args:
        hp: asked for `n_neurons`, `dropout`, `learning_rate` and `priority_weight`, the priority's share of the loss.
    """
    import keras

    inputs = {name: keras.Input((width,), name=name) for name, width in WIDTHS.items()}
    features = keras.layers.concatenate(list(inputs.values()))
    n_neurons = hp.Int("n_neurons", 16, 128, step=16, default=64)
    for layer in _mlp.hidden_layers(1, n_neurons, dropout=hp.Float("dropout", 0.0, 0.5, step=0.1, default=0.0)):
        features = layer(features)
    outputs = {
        "priority": keras.layers.Dense(1, activation="sigmoid", name="priority")(features),
        "department": keras.layers.Dense(len(DEPARTMENTS), activation="softmax", name="department")(features),
    }
    model = keras.Model(inputs, outputs)
    share = hp.Float("priority_weight", 0.1, 0.9, step=0.1, default=0.5)
    model.compile(
        optimizer=keras.optimizers.Adam(hp.Float("learning_rate", 1e-4, 1e-2, sampling="log", default=1e-3)),
        loss={"priority": "binary_crossentropy", "department": "sparse_categorical_crossentropy"},
        loss_weights={"priority": share, "department": 1 - share},
        metrics={"priority": ["accuracy"], "department": ["accuracy"]},
    )
    return model


@lru_cache(maxsize=1)
def load_data() -> Data:
    """Return the tickets: the same ones in every process."""
    x, y = make_tickets(sum(N_TICKETS.values()), seed=0)
    for array in (*x.values(), *y.values()):
        array.flags.writeable = False  # trials share them
    ends = np.cumsum(list(N_TICKETS.values()))
    training, validation, test = (
        (_rows(x, end - n, end), _rows(y, end - n, end)) for n, end in zip(N_TICKETS.values(), ends, strict=True)
    )
    return Data(*training, validation, name="customer_tickets", load_test=lambda: test)


def _rows(arrays: dict[str, np.ndarray], start: int, stop: int) -> dict[str, np.ndarray]:
    return {name: array[start:stop] for name, array in arrays.items()}


def make_tickets(n: int, seed: int) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Draw `n` tickets; return their inputs and their targets by name."""
    rng = np.random.default_rng(seed)
    department = rng.integers(0, len(DEPARTMENTS), n).astype(np.uint8)
    is_urgent = rng.random(n) < URGENT_SHARE
    x = {name: _multi_hot(rng, name, department, is_urgent) for name in WIDTHS}
    return x, {"priority": is_urgent.astype(np.float32), "department": department}


def _multi_hot(rng: np.random.Generator, name: str, department: np.ndarray, is_urgent: np.ndarray) -> np.ndarray:
    """Return uint8 [n, width]: 1 for each word that a ticket has."""
    width, shape = WIDTHS[name], (len(department), _N_WORDS[name])
    frequency = 1 / np.arange(1, width + 1)
    words = rng.permutation(width)[rng.choice(width, shape, p=frequency / frequency.sum())]
    lists = rng.permutation(width)[: (len(DEPARTMENTS) + 1) * _N_OWN[name]].reshape(-1, _N_OWN[name])
    kind = rng.random(shape)  # below the first share: one of the department's words; below both: an urgent one
    drawn = rng.integers(0, _N_OWN[name], shape)
    is_own = kind < _OWN_SHARE[name]
    says_urgent = ~is_own & (kind < _OWN_SHARE[name] + _URGENT[name]) & is_urgent[:, None]
    words = np.where(is_own, lists[department[:, None], drawn], words)
    words = np.where(says_urgent, lists[-1][drawn], words)
    hot = np.zeros((len(department), width), np.uint8)
    hot[np.arange(len(department))[:, None], words] = 1
    return hot


class CustomerTickets(SearchSpace):
    """Customer tickets; the objective is the best accuracy of the department on the validation split."""

    name = "customer_tickets"
    objective = "val_department_accuracy:max"
    patience = _mlp.PATIENCE

    def build(self, hp: Any) -> Any:
        return build_model(hp)

    def load_data(self) -> Data:
        return load_data()


space = CustomerTickets()
