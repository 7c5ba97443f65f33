"""A release of Keras that moves a private name costs speed: no trial, and no number."""

import ast
from pathlib import Path

import keras
import pytest

import tuning
from tests.layers import few
from tests.tuning.compiled.cases import CLASSES, N, X
from tuning import Data
from tuning import compiled as training
from tuning.compiled import arrays, private
from tuning.compiled.naming import numbered_afresh
from tuning.compiled.on_tensorflow import indices
from tuning.preflight import check
from tuning.records.objective import Objective
from tuning.records.trial import Run
from tuning.space import as_space
from tuning.training.messages import Decision, Finished, Task
from tuning.training.options import TrainingOptions
from tuning.training.train import train

NAMES = [*private.MODULES, *private.ATTRIBUTES]
COUNTERS = ("get_global_attribute", "set_global_attribute", "name_counters")
SPARED = (*COUNTERS, "EpochIterator", "get_iterator", "set_dynamic_dimension_size", "remove_dynamic_dimension_size",
          "own_metrics", "compile_metrics", "autocast", "optimised", "compile_config",
          "tensorflow", "is_available", "GLOBAL_STATE_TRACKER", "dropout_of_attention")  # fmt: skip
"""Without these a trial is trained compiled all the same, where its model has no layer of attention."""
CALLS = {
    "get_random_seed": {"shuffle": True},
    "global_seed": {"shuffle": True},
    "train_validation_split": {"validation_split": 0.2, "validation_data": None},
    "should_trace": {"callbacks": [keras.callbacks.TensorBoard]},
}
"""What `fit` must be asked for to need a name that it does not need otherwise."""

ROOT = Path(tuning.__file__).parent.parent
HOMES = ("engines", "estimators", "storage")
"""Rooms that are the homes of other third parties' private names."""


def unnamed():
    """A metric whose name Keras makes up and counts."""
    return keras.metrics.MeanMetricWrapper(keras.metrics.sparse_categorical_accuracy)


def build_model(hp):
    inputs = keras.Input((8,))
    hidden = keras.layers.Dense(hp.Int("units", 4, 8), "relu")(inputs)
    model = keras.Model(inputs, keras.layers.Dense(3, "softmax")(hidden))
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy", unnamed()])
    return model


def given(call):
    """Return data and arguments of a `fit`."""
    validation = (X[N:], CLASSES[N:])
    arguments = {"validation_data": validation, "shuffle": False, **call}
    if "callbacks" in call:  # one that was used cannot be copied
        arguments["callbacks"] = [make() for make in call["callbacks"]]
    return Data(X[:N], CLASSES[:N], validation), arguments


def of_keras(call):
    """Return the metrics of each epoch that Keras itself reports."""
    data, arguments = given(call)
    with numbered_afresh():
        keras.utils.set_random_seed(0)
        model = build_model(tuning.HyperParameters({"units": 5}))
        history = model.fit(data.x, data.y, epochs=2, verbose=0, **arguments).history
    return [dict(zip(history, row, strict=True)) for row in zip(*history.values(), strict=True)]


@pytest.fixture(scope="module")
def expected():
    return of_keras({})


@pytest.fixture
def without(monkeypatch):
    """Let a name be where this version of Keras does not have it."""

    def moved(name):
        if name not in COUNTERS:
            training.clear()
        for cached in (private.imported, private.check_counters):
            cached.cache_clear()
        if name in private.MODULES:
            monkeypatch.setitem(private.MODULES, name, f"{private.MODULES[name]}.moved")
        else:
            owner, attribute = private.ATTRIBUTES[name]
            monkeypatch.setitem(private.ATTRIBUTES, name, (owner, f"{attribute}_moved"))

    return moved


def test_the_installed_versions_have_all_of_them():
    assert private.missing() == []


@pytest.mark.medium
@pytest.mark.parametrize("name", few(sorted(NAMES, key=COUNTERS.__contains__, reverse=True)))
def test_without_a_name_trials_are_trained_with_the_same_numbers(name, without, expected, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where the callbacks write
    without(name)
    assert name in private.missing()
    data, arguments = given(CALLS.get(name, {}))
    expected = of_keras(CALLS[name]) if name in CALLS else expected
    reports = []
    for number in range(2 if name in COUNTERS else 1):
        reports.clear()
        run = Run(number=number, values={"units": 5}, start=0, stop=2)
        task = Task(run, 0, Objective("val_accuracy", "max"), options=TrainingOptions(fit_options=arguments))
        end = train(as_space(build_model), data, task, lambda report: reports.append(report.metrics) or Decision.GO)
        assert isinstance(end, Finished), end
        assert end.compiled is (name in SPARED)
        moved = private.MODULES.get(name) or private.ATTRIBUTES[name][1]
        assert end.compiled or moved in end.reason, end.reason
        for metrics, theirs in zip(reports, expected, strict=True):
            assert metrics == pytest.approx(theirs, rel=1e-4, abs=1e-5)


@pytest.fixture(scope="module")
def built():
    model = build_model(tuning.HyperParameters({"units": 5}))
    model.fit(X, CLASSES, verbose=0)
    return model


@pytest.mark.parametrize("name", NAMES)
def test_without_a_name_labels_are_checked_or_left_to_keras(name, without, built):
    """The loss of a label that is no class would be NaN in a compiled epoch; Keras raises."""
    samples = arrays.load(X, CLASSES + 1)
    without(name)
    try:
        assert "contain 3" in indices.mistake(built, samples)
    except private.GoneError as error:
        assert private.ATTRIBUTES[name][1] in str(error)


@pytest.mark.medium
@pytest.mark.parametrize("names", [COUNTERS[:1], NAMES], ids=["the counters", "all"])
def test_without_names_preflight_passes(names, without):
    for name in names:
        without(name)
    assert set(names) <= set(private.missing())
    data, _ = given({})
    for _ in range(2):
        found = check(as_space(build_model), data, "val_mean_metric_wrapper:max", {}, {})
        assert {"val_mean_metric_wrapper", "val_accuracy", "val_loss"} <= set(found.metrics)


def test_without_the_counters_settings_of_keras_are_left_alone(without):
    without("name_counters")
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        with numbered_afresh():
            assert keras.layers.Dense(1).name == "dense"
            assert keras.config.dtype_policy().name == "mixed_bfloat16"
    finally:
        keras.config.set_dtype_policy(before)


@pytest.mark.medium
def test_no_other_module_uses_private_modules():
    found = []
    for path in sources():
        tree = ast.parse(path.read_text())
        imported = [n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)]
        imported += [a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names]
        found += [
            (path.name, m) for m in imported if m.startswith(("keras.src", "tensorflow.python", "tensorflow.comp"))
        ]
    assert found == []


@pytest.mark.medium
def test_no_other_module_uses_private_attributes():
    """Attributes that begin with an underscore are the module's own, or those of a class that it is a part of."""
    trees = {path: ast.parse(path.read_text()) for path in sources()}
    ours = {name for tree in trees.values() for name in defined(tree)}
    found = []
    for path, tree in trees.items():
        if any(f"tuning/{home}/" in path.as_posix() for home in HOMES):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.startswith("__"):
                of_self = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
                if not of_self and node.attr not in ours and ast.unparse(node) != "os._exit":  # documented
                    found.append((path.name, node.attr))
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in ("getattr", "hasattr")
            ):
                name = node.args[1].value if isinstance(node.args[1], ast.Constant) else ""
                if name.startswith("_") and not name.startswith("__") and name not in ours:
                    found.append((path.name, name))
    assert found == []


def sources():
    return [p for top in ("tuning", "search_spaces") for p in (ROOT / top).rglob("*.py") if p.name != "private.py"]


def defined(tree):
    """Yield the names that a module defines or sets on `self`."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id
