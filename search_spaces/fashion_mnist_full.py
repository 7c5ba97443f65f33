"""Fashion-MNIST with everything that is usually tuned of a multilayer perceptron, by the model of `fashion_mnist`.

Data: Fashion-MNIST, from Keras's cache or download
Task and data are those of `fashion_mnist`. Besides layers, units, learning rate and normalisation this searches the
activation, the initializer, dropout, five optimizers, batch sizes from 8 to 512 and a warm-up of the learning rate.
What makes sense only together with something else is asked for under that condition: momentum with SGD, weight decay
with AdamW, all that describes hidden layers where there are any.

Reference figures: those of `fashion_mnist`, whose space this one contains but for the default of the momentum.
"""

from __future__ import annotations

from typing import Any

from search_spaces import _mlp, fashion_mnist
from search_spaces.fashion_mnist import FashionMnist

BATCH_SIZES = (8, 16, 32, 64, 128, 256, 512)
MAX_HIDDEN = 8


def build_model(hp: Any, shape: tuple[int, int] = (28, 28), n_classes: int = 10) -> Any:
    """Return a compiled classifier; see `fashion_mnist.build_model`.

    Args:
        hp: asked for `n_hidden`, `learning_rate` and `optimizer`; with hidden layers for `n_neurons`, `activation`,
            `initializer` and `dropout`; with SGD for `momentum`, with AdamW for `weight_decay`.
        shape: height and width of an image.
        n_classes: size of the softmax.
    """
    n_hidden = hp.Int("n_hidden", 0, MAX_HIDDEN, default=2)
    with hp.conditional_scope("n_hidden", list(range(1, MAX_HIDDEN + 1))):
        hidden = _mlp.any_hidden_layers(hp, n_hidden, 16, 256, default=100)
    return fashion_mnist.classifier(hidden, _mlp.any_optimizer(hp), shape, n_classes)


def fit_model(hp: Any, model: Any, x: Any, y: Any = None, **kwargs: Any) -> Any:
    """Train `model`; see `fashion_mnist.fit_model`.

    Args:
        hp: asked for `warmup_epochs`, `normalize` and `batch_size`; has the `learning_rate`.
        model: what `build_model` returned.
        x: training images, [n, height, width] in [0, 1].
        y: class numbers, [n].
        **kwargs: handed on to `model.fit`.
    """
    warm_up = _mlp.warm_up(hp.get("learning_rate"), hp.Int("warmup_epochs", 0, 4, default=0))
    kwargs["callbacks"] = [*warm_up, *(kwargs.get("callbacks") or ())]
    return fashion_mnist.fit_model(hp, model, x, y, batch_sizes=BATCH_SIZES, **kwargs)


class FashionMnistFull(FashionMnist):
    """Fashion-MNIST with the larger space; the objective is the best accuracy on the validation split."""

    name = "fashion_mnist_full"

    def build(self, hp: Any) -> Any:
        return build_model(hp)

    def fit(self, hp: Any, model: Any, x: Any, y: Any = None, **kwargs: Any) -> Any:
        return fit_model(hp, model, x, y, **kwargs)


space = FashionMnistFull()
