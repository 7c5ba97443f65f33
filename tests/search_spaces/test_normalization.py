"""The Normalization layers of the bundled spaces: adapted on the training split alone, and part of the model."""

import numpy as np
import pytest

from search_spaces import _mlp, california_housing, digits
from tuning.space import HyperParameters


def images(n=64, seed=0):
    """Return (x, y); the first column of pixels is constant."""
    rng = np.random.default_rng(seed)
    x = rng.random((n, 8, 8), np.float32)
    x[:, :, 0] = 0.25
    return x, rng.integers(0, 10, n).astype(np.uint8)


def features(n=64, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal([0, 5, 1000, -120, 3, 4, 35, 1], [1, 2, 900, 2, 1, 50, 2, 0.1], (n, 8)).astype(
        np.float32
    ), rng.random(n)


def layer_of(model):
    import keras

    return next(layer for layer in model.layers if isinstance(layer, keras.layers.Normalization))


def trained(space, values, x, y, validation):
    hp = HyperParameters(values)
    model = space.build(hp)
    space.fit(hp, model, x, y, validation_data=validation, epochs=2, verbose=0)
    return model


@pytest.mark.parametrize("space, made", [(digits.space, images), (california_housing.space, features)])
def test_a_model_that_was_only_built_changes_nothing(space, made):
    x, _ = made()
    np.testing.assert_array_equal(layer_of(space.build(HyperParameters()))(x), x)


@pytest.mark.medium
def test_images_are_left_as_they_are_by_default():
    x, y = images()
    np.testing.assert_array_equal(layer_of(trained(digits.space, {}, x, y, (x, y)))(x), x)


@pytest.mark.medium
def test_image_statistics_are_those_of_the_training_split():
    x, y = images()
    x_val, y_val = images(seed=1)
    layer = layer_of(trained(digits.space, {"normalize": True}, x, y, (x_val * 0.1, y_val)))
    np.testing.assert_allclose(np.ravel(layer.mean), x.mean(axis=0).ravel(), rtol=1e-5)
    varying = layer(x).numpy()[:, :, 1:]
    np.testing.assert_allclose(varying.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(varying.std(axis=0), 1, rtol=1e-4)


@pytest.mark.medium
def test_a_pixel_that_never_changes_in_training_stays_harmless():
    x, y = images()
    x_val, y_val = x.copy(), y
    x_val[:, :, 0] = 1.0  # never seen in training
    model = trained(digits.space, {"normalize": True}, x, y, (x_val, y_val))
    assert np.abs(layer_of(model)(x_val)).max() <= 20  # (1 - 0) / 0.05
    np.testing.assert_allclose(layer_of(model)(x)[:, :, 0], 0, atol=1e-5)
    assert np.isfinite(model.evaluate(x_val, y_val, verbose=0)).all()


@pytest.mark.medium
def test_housing_statistics_are_those_of_the_training_split_in_every_trial():
    x, y = features()
    layer = layer_of(trained(california_housing.space, {}, x, y, (features(seed=1)[0] + 7, y)))
    np.testing.assert_allclose(np.ravel(layer.mean), x.mean(axis=0, dtype=np.float64), rtol=1e-4)
    np.testing.assert_allclose(np.ravel(layer.variance), x.var(axis=0, dtype=np.float64), rtol=1e-3)


@pytest.mark.medium
def test_a_feature_that_never_changes_gives_no_nan():
    x, y = features()
    x[:, 3] = -120.0
    model = trained(california_housing.space, {}, x, y, (x, y))
    assert np.isfinite(model.predict(x, verbose=0)).all()


@pytest.mark.medium
@pytest.mark.parametrize(
    "space, values, made", [(digits.space, {"normalize": True}, images), (california_housing.space, {}, features)]
)
def test_the_statistics_are_saved_with_the_model(space, values, made, tmp_path):
    import keras

    x, y = made()
    x_val, y_val = made(seed=1)
    model = trained(space, values, x, y, (x_val, y_val))
    history = model.history.history
    recorded = model.evaluate(x_val, y_val, verbose=0)
    metric = "val_accuracy" if space is digits.space else "val_rmse"
    assert recorded == pytest.approx([history["val_loss"][-1], history[metric][-1]], rel=1e-5)
    model.save(tmp_path / "model.keras")
    assert keras.models.load_model(tmp_path / "model.keras").evaluate(x_val, y_val, verbose=0) == recorded
    model.save_weights(tmp_path / "model.weights.h5")
    twin = space.build(HyperParameters(values))
    twin.load_weights(tmp_path / "model.weights.h5")
    assert twin.evaluate(x_val, y_val, verbose=0) == recorded


@pytest.mark.medium
def test_training_sees_the_statistics():
    """With a learning rate of (almost) 0, the reported loss is that of the adapted model."""
    x, y = features()
    hp = HyperParameters()
    model = california_housing.space.build(hp)
    model.optimizer.learning_rate = 0.0
    before = model.evaluate(x, y, verbose=0)[0]  # traces the model before it is adapted
    history = california_housing.space.fit(hp, model, x, y, validation_data=(x, y), epochs=1, verbose=0).history
    expected = np.mean((model(x).numpy()[:, 0] - y) ** 2)
    assert history["loss"][-1] == pytest.approx(expected, rel=1e-4)
    assert history["val_loss"][-1] == pytest.approx(expected, rel=1e-4)
    assert before != pytest.approx(expected, rel=0.1)


@pytest.mark.medium
def test_other_data_bring_other_statistics_to_a_model_that_was_trained_before():
    x, y = features()
    model = trained(california_housing.space, {}, x, y, (x, y))
    model.predict(x, verbose=0)
    _mlp.adapt(model, x * 3 + 1)
    np.testing.assert_allclose(model.predict(x, verbose=0), model(x), rtol=1e-4, atol=1e-5)


@pytest.mark.medium
def test_going_on_with_restored_weights_keeps_the_statistics(tmp_path):
    """A promotion: the same trial, built again, weights restored, trained further."""
    x, y = images()
    first = trained(digits.space, {"normalize": True}, x, y, (x, y))
    first.save_weights(tmp_path / "model.weights.h5")
    hp = HyperParameters({"normalize": True})
    again = digits.space.build(hp)
    again.load_weights(tmp_path / "model.weights.h5")
    history = digits.space.fit(hp, again, x, y, validation_data=(x, y), initial_epoch=2, epochs=3, verbose=0)
    assert history.epoch == [2]
    np.testing.assert_array_equal(layer_of(again).mean, layer_of(first).mean)
    np.testing.assert_array_equal(layer_of(again).variance, layer_of(first).variance)
