"""Wine: which of three growers a wine is from, by its chemistry.

This is a search space to start from. It runs as it is:

    tune run starter.py --engine random --trials 3

Change `load_data` to your own data, `build` to your own model, and `objective` to the metric that matters.
"""

import tuning


class Starter(tuning.SearchSpace):
    """A classifier of wines; the objective is the best accuracy on the validation split."""

    name = "starter"  # the study is called after it: starter-random, starter-hyperband
    objective = "val_accuracy"  # a metric that training reports; ":max" or ":min" after one of your own
    patience = 5  # a run ends when the objective has not improved for so many epochs
    epochs = 15  # the budget of one trial, where --epochs does not give another

    def load_data(self):
        """Return what to train on, what decides between trials, and a test split that no search looks at."""
        # Import here, not at the top: `tune show` and `tune list` stay quick.
        from sklearn.datasets import load_wine
        from sklearn.model_selection import train_test_split

        x, y = load_wine(return_X_y=True)  # 178 wines, 13 features each, classes 0, 1, 2
        x, x_test, y, y_test = train_test_split(x, y, test_size=0.2, random_state=0, stratify=y)
        x, x_validation, y, y_validation = train_test_split(x, y, test_size=0.25, random_state=0, stratify=y)
        return tuning.Data(x, y, (x_validation, y_validation), load_test=lambda: (x_test, y_test))

    def build(self, hp):
        """Return a compiled model. Whatever it asks `hp` for is searched."""
        import keras

        model = keras.Sequential([keras.Input((13,)), keras.layers.Normalization()])
        for _ in range(hp.Int("n_hidden", 1, 3)):
            model.add(keras.layers.Dense(hp.Int("n_neurons", 8, 64, step=8), activation="relu"))
        model.add(keras.layers.Dense(3, activation="softmax"))

        rate = hp.Float("learning_rate", 1e-3, 1e-1, sampling="log", default=1e-2)
        optimizer = hp.Choice("optimizer", ["adam", "sgd"])
        with hp.conditional_scope("optimizer", ["sgd"]):  # is searched, and shown, for SGD alone
            momentum = hp.Choice("momentum", [0.0, 0.9])
        if optimizer == "sgd":
            chosen = keras.optimizers.SGD(rate, momentum=momentum)
        else:
            chosen = keras.optimizers.Adam(rate)
        model.compile(chosen, "sparse_categorical_crossentropy", metrics=["accuracy"])
        return model

    def fit(self, hp, model, x, y, **options):
        """Train the model. Only needed for what `model.fit` alone does not do; hyperparameters may be asked for too."""
        model.layers[0].adapt(x)  # Normalization learns from the training split, in every trial
        return model.fit(x, y, batch_size=hp.Choice("batch_size", [16, 32]), **options)
