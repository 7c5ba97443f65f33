"""A small network for data of any size: what it must fit, `meta` tells it."""


def build_classifier(hp, meta):
    """Return a network with a softmax over the classes; without `units` it has no hidden layer."""
    return build(hp, meta["n_classes_"], "softmax", "sparse_categorical_crossentropy", ["accuracy"])


def build_regressor(hp, meta):
    """Return a network with one output for each target."""
    return build(hp, meta["n_outputs_"], None, "mse", ["mae"])


def build(hp, n_outputs, activation, loss, metrics):
    import keras

    units = hp.Int("units", 0, 64, default=16)
    hidden = [keras.layers.Dense(units, activation="relu")] if units else []
    model = keras.Sequential([*hidden, keras.layers.Dense(n_outputs, activation=activation)])
    rate = hp.Float("learning_rate", 1e-3, 1e-1, sampling="log", default=3e-2)
    model.compile(keras.optimizers.Adam(rate), loss, metrics=metrics)
    return model
