"""Extra logging: graph, histograms, profile and a space's own summaries, in the trial's folder of TensorBoard."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tuning
from tests.tensorboard_client import Client, eventually, metrics_of_group
from tuning import compiled as training
from tuning.errors import OptionError
from tuning.tensorboard import serve
from tuning.training.summaries import Log

RNG = np.random.default_rng(0)
X = RNG.normal(size=(96, 4)).astype("float32")
Y = X.sum(axis=1)
VALIDATION = (X[64:], Y[64:])


class Model(keras.Sequential):
    """Writes a scalar in each of its training steps."""

    def train_step(self, data):
        tf.summary.scalar("mean_of_targets", tf.reduce_mean(data[1]))
        return super().train_step(data)


class Writes(tuning.SearchSpace):
    """Writes every kind of summary, in `build`, in `fit` and at the end of each epoch."""

    name, objective = "writes", "val_loss"

    def build(self, hp):
        tf.summary.text("note", f"units {hp.Int('units', 2, 8)}", step=0)
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(hp["units"]), keras.layers.Dense(1)])
        model.compile("sgd", "mse")
        return model

    def fit(self, hp, model, x, y, **options):
        tf.summary.audio("noise", np.sin(np.arange(400, dtype="float32"))[None, :, None], 8000, step=0)
        picture = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: self.draw(model))
        return model.fit(x, y, **{**options, "callbacks": [picture, *options["callbacks"]]})

    @staticmethod
    def draw(model):
        tf.summary.image("kernel", keras.ops.convert_to_numpy(model.layers[0].kernel)[None, :, :, None])
        tf.summary.scalar("largest_weight", np.abs(model.get_weights()[0]).max())
        tf.summary.histogram("kernel_values", model.get_weights()[0])


@pytest.fixture
def search(tmp_path):
    def call(space, **arguments):
        defaults = {"engine": "random", "trials": 2, "epochs": 3, "seed": 0, "logs": tmp_path}
        return tuning.search(space, X[:64], Y[:64], validation_data=VALIDATION, **{**defaults, **arguments})

    return call


def events_of(study, number):
    """Return {tag: [(step, plugin), ...]} of what was logged besides about one trial, graphs as the tag "graph"."""
    found = {}
    for path in sorted((study.path / "tensorboard" / f"trial_{number:04d}" / "log").glob("events*")):
        for record in tf.data.TFRecordDataset(str(path)):
            event = tf.compat.v1.Event.FromString(record.numpy())
            if event.graph_def:
                found.setdefault("graph", []).append((event.step, tf.compat.v1.GraphDef.FromString(event.graph_def)))
            for value in event.summary.value:
                found.setdefault(value.tag, []).append((event.step, value.metadata.plugin_data.plugin_name))
    return found


@pytest.mark.slow
def test_everything_at_once_shows_in_tensorboard_and_hparams_stays_what_it_is(search):
    study = search(Writes(), log=["graph", "histograms", "summaries"])
    assert all(trial.compiled for trial in study.trials), "nothing of this needs single batches"
    with serve([study.path]) as board:
        client = Client(board.url)
        rows = eventually(client.by_trial, lambda r: len(r) == 2 and all("objective" in metrics_of_group(g)
                                                                         for g in r.values()))  # fmt: skip
        for trial in study.trials:
            run = f"trial_{trial.number:04d}/log"
            (session,) = rows[trial.number]["sessions"]
            assert session["name"] == f"trial_{trial.number:04d}" and session["status"] == "STATUS_SUCCESS"
            assert metrics_of_group(rows[trial.number])["objective"] == pytest.approx(trial.score, rel=1e-6)
            assert [step for step, _ in client.curve(f"trial_{trial.number:04d}/train", "epoch_loss")] == [0, 1, 2]
            assert [step for step, _ in client.curve(run, "largest_weight")] == [0, 1, 2]
            for plugin, tag in (("images", "kernel"), ("histograms", "kernel_values"), ("text", "note"),
                                ("audio", "noise"), ("histograms", "sequential/dense/kernel")):  # fmt: skip
                assert str(tag) in str(client.get(f"plugin/{plugin}/tags")[run]), plugin
            assert "dense" in client.text("plugin/graphs/graph", run=run)
        metrics = {info["name"]["tag"] for info in client.experiment()["metricInfos"]}
        assert "largest_weight" not in metrics and "objective" in metrics


@pytest.mark.slow
def test_only_what_was_asked_for_is_written(search):
    study = search(Writes(), trials=1, log=["histograms"])
    assert {plugin for points in events_of(study, 0).values() for _, plugin in points} == {"histograms"}
    assert set(events_of(study, 0)) == {f"sequential/dense{n}/{w}" for n in ("", "_1") for w in ("kernel", "bias")}
    nothing = search(Writes(), trials=1, study="nothing")
    assert not (nothing.path / "tensorboard" / "trial_0000" / "log").exists()


@pytest.mark.slow
def test_steps_of_a_continued_trial_go_on(search):
    budget = {"engine": "hyperband", "trials": None, "epochs": 2, "options": {"factor": 2}}
    study = search(Writes(), log=["summaries", "graph"], **budget)
    trial = next(t for t in study.trials if len(t.runs) > 1)
    events = events_of(study, trial.number)
    # Files of the same second come in the order of their names, which is not always that of their making.
    assert sorted(step for step, _ in events["largest_weight"]) == list(range(trial.epochs))
    assert len(events["graph"]) == 1


@pytest.mark.medium
def test_a_profile_needs_single_batches_and_the_record_says_so(search):
    def build_model(hp):
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(hp.Int("units", 2, 8)), keras.layers.Dense(1)])
        model.compile("sgd", "mse")
        return model

    study = search(build_model, objective="val_loss", log=["profile=2,3"], epochs=1)
    for trial in study.trials:
        assert not trial.compiled and "callback Profile looks at single batches" in trial.compiled_reason
        folder = study.path / "tensorboard" / f"trial_{trial.number:04d}" / "log"
        assert list(folder.glob("plugins/profile/*/*.xplane.pb"))


@pytest.mark.slow
def test_summaries_of_a_training_step_are_written_by_keras(search):
    def build_model(hp):
        model = Model([keras.Input((4,)), keras.layers.Dense(hp.Int("units", 1, 4)), keras.layers.Dense(1)])
        model.compile("sgd", "mse")
        return model

    study = search(build_model, objective="val_loss", log=["summaries"], trials=1, epochs=2)
    assert not study.trials[0].compiled
    assert [step for step, _ in events_of(study, 0)["mean_of_targets"]] == [0, 0, 1, 1], "the step is the epoch"
    silent = search(build_model, objective="val_loss", study="silent", trials=1, epochs=2)
    assert silent.trials[0].compiled, "without a request the step says nothing, and compiles"


@pytest.mark.slow
def test_worker_processes_write_it_as_well(search):
    study = search(Writes(), log=["summaries"], workers=2)
    assert all("largest_weight" in events_of(study, trial.number) for trial in study.trials)


@pytest.mark.slow
def test_a_trial_that_raises_ends_its_profile(search):
    def build_model(hp):
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
        model.compile(keras.optimizers.SGD(hp.Float("learning_rate", 0.01, 0.1)), "mse")
        return model

    class Raises(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            raise ValueError("enough")

    arguments = {"objective": "val_loss", "log": ["profile=1,9"], "trials": 1}
    with pytest.raises(tuning.TuningError, match="enough"):
        search(build_model, callbacks=[Raises()], **arguments)
    tf.profiler.experimental.start(str(search(build_model, study="next", **arguments).path))
    tf.profiler.experimental.stop()


@pytest.mark.parametrize(
    ("requests", "log"),
    [
        ((), Log()),
        ("graph", Log(graph=True)),
        (["histograms", "summaries"], Log(histograms=True, summaries=True)),
        (["profile=3,5"], Log(profile=(3, 5))),
        (["profile=7"], Log(profile=(7, 7))),
    ],
)
def test_requests(requests, log):
    assert Log.read(requests) == log and bool(log) == bool(requests)


def test_requests_that_are_none_are_named_all_at_once(search, tmp_path):
    with pytest.raises(OptionError) as error:
        search(Writes(), log=["histogram", "profile", "profile=5,3", "profile=0"])
    for part in ("Did you mean 'histograms'?", "but got 'profile'", "'profile=5,3'", "'profile=0'", "4 things"):
        assert part in str(error.value)
    assert not list(tmp_path.iterdir())


def test_a_space_without_keras_has_nothing_to_log(search, curve_space, tmp_path):
    with pytest.raises(OptionError, match="builds no Keras model"):
        tuning.search(curve_space, engine="random", trials=1, logs=tmp_path, log=["graph"])
    assert not list(tmp_path.iterdir())


@pytest.mark.medium
def test_the_caller_keeps_no_default_writer(search):
    search(Writes(), trials=1, epochs=1, log=["summaries"])
    assert not tf.summary.scalar("after", 1.0, step=0) and training.compiled_programs()
