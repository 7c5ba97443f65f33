"""The learning-rate range test: what it computes, what it leaves behind, on whichever optimizer."""

import json
import math
import xml.dom.minidom

import numpy as np
import pytest

import tuning
from tuning.errors import OptionError, SpaceError
from tuning.tensorboard.writer import read_events
from tuning.tools.range_test import SMOOTHING, range_test, smooth, turning_point

keras = pytest.importorskip("keras")
RNG = np.random.default_rng(0)
X = RNG.normal(size=(256, 3)).astype("float32")
Y = (X @ np.float32([1, -2, 3]) + RNG.normal(size=256)).astype("float32")
DATA = tuning.Data(X, Y, (X, Y))


def linear(optimizer):
    def build(hp):
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
        model.compile(optimizer(hp), "mse")
        return model

    return build


def sgd(hp):
    return keras.optimizers.SGD(hp.Float("learning_rate", 1e-4, 1e-1, sampling="log"))


def scheduled(hp):
    return keras.optimizers.Adam(keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.9))


def test_smoothing_corrects_its_bias():
    assert smooth([3.0] * 5) == pytest.approx([3.0] * 5)
    two = smooth([1.0, 2.0])[1]
    assert two == pytest.approx((SMOOTHING * 1 + 2) / (SMOOTHING + 1))


def test_the_turning_point_is_the_lowest_place_within():
    rates = [0.1, 0.2, 0.3, 0.4]
    assert turning_point(rates, [3, 1, 2, 9]) == 0.2
    assert turning_point(rates, [4, 3, 2, 1]) is None and turning_point(rates, [1, 2, 3, 4]) is None
    assert turning_point(rates, [3, math.nan, 2, 9]) == 0.3 and turning_point([], []) is None


@pytest.mark.medium
def test_the_rate_grows_exponentially_until_the_loss_explodes(tmp_path):
    told = []
    found = range_test(
        linear(sgd), data=DATA, iterations=200, logs=tmp_path, listener=lambda n, rate, loss: told.append((n, rate))
    )
    ratios = np.array(found.rates[1:]) / found.rates[:-1]
    assert ratios == pytest.approx(np.full(len(ratios), 1e6 ** (1 / 199)), rel=1e-6)
    assert found.rates[0] == pytest.approx(1e-5) and len(told) >= len(found.rates)
    assert "exploded" in found.reason or "loss is" in found.reason
    assert len(found.rates) < 200 and all(map(math.isfinite, found.losses))
    # Gradient descent on the squared error of these inputs, whose covariance is the identity, diverges above 1.
    assert 0.02 < found.turn < 3 and found.suggested == pytest.approx(found.turn / 10)
    assert found.hyperparameter.name == "learning_rate"


@pytest.mark.medium
def test_the_first_losses_are_those_of_single_batches_of_the_untrained_model(tmp_path):
    """The reported loss is no running mean: at a tiny rate each is that of its own batch."""

    class Whole(tuning.SearchSpace):
        name = "whole"

        def build(self, hp):
            return linear(sgd)(hp)

        def fit(self, hp, model, x, y, **options):
            self.before = model.evaluate(x[:64], y[:64], verbose=0)
            return model.fit(x[:64], y[:64], batch_size=64, **options)

    space = Whole()
    found = range_test(space, data=DATA, low=1e-9, high=1e-8, iterations=10, logs=tmp_path)
    assert found.losses == pytest.approx([space.before] * 10, rel=1e-4)


@pytest.mark.medium
def test_any_optimizer_will_do_even_one_with_a_schedule(tmp_path):
    found = range_test(linear(scheduled), data=DATA, iterations=60, logs=tmp_path)
    assert len(found.rates) > 30 and found.hyperparameter is None and max(found.losses) > found.losses[0]


@pytest.mark.medium
def test_numbers_a_picture_and_scalars_are_left(tmp_path):
    for _ in range(2):  # the second test replaces the first
        found = range_test(linear(sgd), data=DATA, iterations=40, logs=tmp_path)
    folder = tmp_path / "learning_rate" / "build"
    record = json.loads((folder / "range_test.json").read_text())
    assert record["suggested"] == found.suggested and record["hyperparameter"]["name"] == "learning_rate"
    picture = xml.dom.minidom.parse(str(folder / "range_test.svg"))
    assert len(picture.getElementsByTagName("polyline")) == 2
    words = [t.firstChild.data for t in picture.getElementsByTagName("text")]
    assert {"1e-5", "1e-3", "learning rate", "loss"} <= set(words) and any("suggested" in w for w in words)
    (events,) = (folder / "tensorboard").iterdir()
    values = [v for event in read_events(events) for v in event.summary.value]
    assert {v.tag for v in values} == {f"range_test/{n}" for n in ("learning_rate", "loss", "smoothed_loss")}
    assert len(values) == 3 * len(found.rates)


@pytest.mark.medium
def test_what_makes_no_range_test_is_refused(tmp_path):
    with pytest.raises(OptionError, match="2 things do not fit.*low < high.*>= 10"):
        range_test(linear(sgd), data=DATA, low=1, high=0.1, iterations=3, logs=tmp_path)
    with pytest.raises(OptionError, match="fix.*Did you mean 'learning_rate'"):
        range_test(linear(sgd), data=DATA, iterations=10, fix={"learning_rat": 1}, logs=tmp_path)
    with pytest.raises(SpaceError, match="optimizer"):
        range_test(lambda hp: {"no": "model"}, data=DATA, iterations=10, logs=tmp_path)

    def broken(hp):
        model = linear(sgd)(hp)
        model.fit = lambda *a, **k: 1 / 0
        return model

    class Broken(tuning.SearchSpace):
        name = "broken"
        build = staticmethod(linear(sgd))

        def fit(self, *arguments, **options):
            return 1 / 0

    with pytest.raises(SpaceError, match="ZeroDivisionError"):
        range_test(Broken(), data=DATA, iterations=10, logs=tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_the_command_suggests_a_rate_and_how_to_use_it(tune_here, tmp_path):
    done = tune_here("lr", "diabetes", "--iterations", 60, "--fix", "optimizer=adam", "--json")
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    assert record["values"]["optimizer"] == "adam" and record["suggested"] > 0
    advice = "\n".join(record["advice"])
    assert "--fix learning_rate=" in advice or "does not hold it" in advice
    assert "to bound it  hp.Float('learning_rate'" in advice
    assert (tmp_path / "logs" / "learning_rate" / "diabetes" / "range_test.svg").is_file()
