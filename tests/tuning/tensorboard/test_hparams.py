"""Columns, metrics and records of the HPARAMS tab, without any files but the golden ones.

The golden files hold the records as JSON. To write them anew after a change that is meant:
`UPDATE_GOLDEN=1 python -m pytest tests/tuning/tensorboard/test_hparams.py`; then read the difference.
"""

import json
import math
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from google.protobuf import json_format

from tests.tensorboard_search import HYPERPARAMETERS, OBJECTIVE, START, definition, metrics_of, values_of
from tuning.hyperparameters import Boolean, Choice, Condition, Fixed, Float, Int
from tuning.records.objective import Objective
from tuning.records.trial import Curve, Run, State, Training, Trial
from tuning.tensorboard import columns, hparams

GOLDEN = Path(__file__).parents[2] / "golden" / "hparams"


def as_json(record):
    return json_format.MessageToDict(record, preserving_proto_field_name=True)


def check_golden(name, record):
    path = GOLDEN / f"{name}.json"
    text = json.dumps(as_json(record), indent=1, sort_keys=True) + "\n"
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text)
    assert json.loads(text) == json.loads(path.read_text())


def a_trial(number=3, state=State.COMPLETED, epochs=3, **fields):
    curve = Curve(tuple(metrics_of(number, epoch) for epoch in range(epochs)))
    best = OBJECTIVE.best(curve.values(OBJECTIVE.name)) or (None, None)
    values = fields.pop("values", values_of(number))
    return Trial(
        number,
        values,
        state,
        (Training(curve, best[1], best[0], seconds=4.5),),
        runs=(Run(number, values, 0, 4),),
        started_at=START,
        ended_at=START + 9,
        **fields,
    )


def records_of(*trials, **fields):
    records = hparams.Records(definition(**fields))
    for trial in trials:
        records.learn(trial)
        records.learn_metrics(trial.curve.epochs)
    return records


def infos_of(records):
    return {info.name: info for info in records.experiment().hparam_infos}


def first_five(records):
    """The columns that TensorBoard shows: those that differ before the others, each by name."""
    infos = sorted(records.experiment().hparam_infos, key=lambda info: (not info.differs, info.name))
    return [info.name for info in infos][:5]


# Golden records --------------------------------------------------------------------------------------------


def test_experiment_before_the_first_trial_is_golden():
    check_golden("experiment_new", records_of().experiment())


def test_experiment_with_trials_is_golden():
    check_golden("experiment", records_of(*(a_trial(n) for n in range(4))).experiment())


@pytest.mark.parametrize("state", list(State))
def test_session_is_golden(state):
    trial = a_trial(state=state, error="ValueError: no" if state is State.FAILED else None)
    if state is State.RUNNING:
        trial = replace(trial, ended_at=None)
    check_golden(f"session_start_{state.value.lower()}", records_of(trial).session_start(trial))
    check_golden(f"session_end_{state.value.lower()}", hparams.session_end(trial))


# Columns ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("h", "kind", "domain"),
    [
        (Int("h", 16, low=16, high=256, step=1), "number", (16, 256)),
        (Int("h", 16, low=16, high=64, step=16), "number", [16, 32, 48, 64]),
        (Int("h", 1, low=1, high=9, step=1), "number", list(range(1, 10))),
        (Int("h", 1, low=1, high=10, step=1), "number", (1, 10)),
        (Int("h", 1, low=1, high=64, step=2, sampling="log"), "number", [1, 2, 4, 8, 16, 32, 64]),
        (Float("h", 0.0, low=0.0, high=0.5, step=0.1), "number", [0, 0.1, 0.2, 0.3, 0.4, 0.5]),
        (Float("h", 1e-3, low=1e-4, high=1e-2, sampling="log"), "number", (1e-4, 1e-2)),
        (Float("h", 1e-3, low=1e-3, high=1, step=10, sampling="log"), "number", [1e-3, 1e-2, 0.1, 1]),
        (Boolean("h", False), "bool", [False, True]),
        (Choice("h", True, choices=(True, False)), "bool", [False, True]),
        (Choice("h", "b", choices=("b", "a")), "string", ["b", "a"]),
        (Choice("h", 64, choices=(64, 16)), "number", [16, 64]),
        (Choice("h", 0, choices=tuple(range(10))), "number", (0, 9)),
        (Choice("h", "sqrt", choices=("sqrt", 0.5, None)), "string", ["sqrt", "0.5", "None"]),
        (Choice("h", 1.0, choices=(1.0, math.inf)), "string", ["1.0", "inf"]),
        (Fixed("h", 3), "number", [3]),
        (Fixed("h", None), "string", ["None"]),
    ],
)
def test_types_and_domains_are_true(h, kind, domain):
    column = columns.of_space([h])["h"]
    info = column.info(differs=False)
    assert column.kind == kind
    if isinstance(domain, list):
        assert list(info.domain_discrete) == domain
        assert [type(v) is bool for v in info.domain_discrete] == [kind == "bool"] * len(domain)
    else:
        assert (info.domain_interval.min_value, info.domain_interval.max_value) == domain


def test_the_title_says_where_an_axis_should_be_logarithmic():
    infos = infos_of(records_of())
    assert infos["learning_rate"].display_name == "learning_rate (log)"
    assert infos["units"].display_name == "units"


def test_a_name_under_several_conditions_is_one_column():
    infos = [info for info in records_of().experiment().hparam_infos if info.name == "width"]
    assert len(infos) == 1
    assert (infos[0].domain_interval.min_value, infos[0].domain_interval.max_value) == (8, 512)


def test_a_name_with_different_types_is_a_column_of_strings():
    parent = Choice("kind", "a", choices=("a", "b"))
    space = (
        parent,
        Choice("depth", "all", choices=("all", "none"), conditions=(Condition("kind", ("a",)),)),
        Int("depth", 1, low=1, high=3, step=1, conditions=(Condition("kind", ("b",)),)),
    )
    records = records_of(hyperparameters=space)
    assert list(infos_of(records)["depth"].domain_discrete) == ["all", "none", "1", "2", "3"]
    start = records.session_start(a_trial(values={"kind": "b", "depth": 2}))
    assert start.hparams["depth"].string_value == "2"


def test_values_that_do_not_apply_are_left_out():
    values = {**values_of(1), "momentum": 0.4, "unused": None}
    trial = a_trial(1, values={k: v for k, v in values.items() if k != "unused"})
    assert values["optimizer"] == "adam"
    assert "momentum" not in records_of(trial).session_start(trial).hparams
    assert records_of(trial).experiment() == records_of(a_trial(1)).experiment()


def test_a_rounded_value_is_the_listed_one():
    trial = a_trial(values={**values_of(2), "momentum": 0.1 + 0.2})
    assert records_of(trial).session_start(trial).hparams["momentum"].number_value == 0.3


@pytest.mark.parametrize("value", [math.nan, math.inf, 10**400])
def test_no_value_is_infinite(value):
    trial = a_trial(values={**values_of(2), "units": value})
    records = records_of(trial)
    assert records.session_start(trial).hparams["units"].string_value == str(value)
    assert infos_of(records)["units"].type == infos_of(records)["optimizer"].type


# The first five ----------------------------------------------------------------------------------------------


def test_the_first_five_are_the_first_that_every_trial_has():
    assert first_five(records_of()) == ["learning_rate", "n_layers", "normalize", "optimizer", "units"]
    assert sum(info.differs for info in records_of().experiment().hparam_infos) == 5


@pytest.mark.parametrize("n", range(1, 5))
def test_columns_of_the_toolkit_fill_up(n):
    own = {"trial_state", "trial", "budget", "engine", "study"}
    on_sgd = HYPERPARAMETERS[6].conditions
    conditional = tuple(Int(f"a_{i}", 1, low=1, high=5, conditions=on_sgd) for i in range(5))
    space = [h for h in HYPERPARAMETERS if not h.conditions][5 - n : 5]
    first = first_five(records_of(hyperparameters=(*space, *conditional)))
    assert {h.name for h in space} <= set(first)
    assert set(first) <= {h.name for h in space} | own
    assert {"trial_state", "trial"} <= set(first) or n == 4


def test_a_constant_column_comes_after_those_that_vary():
    space = (*HYPERPARAMETERS[:2], HYPERPARAMETERS[-1])
    assert [i.name for i in records_of(hyperparameters=space).experiment().hparam_infos if i.differs] == [
        "n_layers",
        "units",
        "trial_state",
        "trial",
    ]


def test_a_hyperparameter_that_a_trial_did_not_use_is_not_shown_first():
    trial = a_trial(values={k: v for k, v in values_of(3).items() if k != "units"})
    assert "units" in first_five(records_of(replace(trial, state=State.RUNNING)))
    assert "units" in first_five(records_of(replace(trial, state=State.FAILED)))
    assert first_five(records_of(trial)) == ["batch_size", "learning_rate", "n_layers", "normalize", "optimizer"]


def test_a_hyperparameter_with_the_name_of_one_of_ours_keeps_it():
    space = (Choice("trial", "x", choices=("x", "y")),)
    trial = a_trial(values={"trial": "y"})
    start = records_of(hyperparameters=space).session_start(trial)
    assert start.hparams["trial"].string_value == "y"
    assert start.hparams["tuning/trial"].number_value == 3


# Found later -----------------------------------------------------------------------------------------------


def test_a_hyperparameter_found_while_training_is_described():
    found = Int("patience", 3, low=1, high=50, step=1).to_json()
    trial = a_trial(values={**values_of(3), "patience": 7}, found=(found,))
    info = infos_of(records_of(trial))["patience"]
    assert (info.domain_interval.min_value, info.domain_interval.max_value) == (1, 50)
    assert not info.differs  # the trials before it have no value


def test_a_value_that_nobody_described_becomes_a_column_that_grows():
    first, second = (
        a_trial(n, values={**values_of(n), "extra": 0.5 * n, "word": "ab"[n % 2], "flag": True}) for n in (1, 4)
    )
    infos = infos_of(records_of(first, second))
    assert (infos["extra"].domain_interval.min_value, infos["extra"].domain_interval.max_value) == (0.5, 2.0)
    assert list(infos["word"].domain_discrete) == ["b", "a"]
    assert list(infos["flag"].domain_discrete) == [False, True]


def test_learning_says_whether_anything_is_new():
    records = records_of(a_trial(0))
    assert not records.learn(a_trial(1))
    assert records.learn(a_trial(1, values={**values_of(1), "extra": 1}))
    assert not records.learn(a_trial(2, values={**values_of(2), "extra": 1}))
    assert records.learn_metrics([{"auc": 0.5}])
    assert not records.learn_metrics([{"auc": 0.6}])


# Metrics -----------------------------------------------------------------------------------------------------


def test_metrics_that_every_scored_trial_has_come_first():
    infos = records_of(a_trial()).experiment().metric_infos
    assert [(i.name.group, i.name.tag) for i in infos] == [
        ("", "objective"),
        ("validation", "epoch_accuracy"),
        ("", "trial/epochs"),
        ("", "trial/best_epoch"),
        ("", "trial/seconds"),
        ("validation", "epoch_loss"),
        ("train", "epoch_accuracy"),
        ("train", "epoch_learning_rate"),
        ("train", "epoch_loss"),
    ]
    tags = {tag for tag, _, _ in hparams.summaries(a_trial())}
    assert {"objective", *tags} == {i.name.tag for i in infos[:5] if not i.name.group}


def test_the_last_point_of_the_objective_is_the_score():
    objective = Objective("val_loss", "min")
    losses = (0.9, math.nan, 0.7, -math.inf, 0.8, 0.5, 0.6)
    trial = Trial(0, {}, State.COMPLETED, (Training(Curve(tuple({"val_loss": v} for v in losses)), 0.5, 5),))
    assert [(value, step) for _, value, step in hparams.progress(trial, objective)] == [(0.9, 0), (0.7, 2), (0.5, 5)]


def test_a_failed_trial_has_no_objective():
    trial = a_trial(state=State.FAILED)
    assert hparams.progress(trial, OBJECTIVE) == []
    assert [tag for tag, _, _ in hparams.summaries(trial)] == ["trial/epochs", "trial/seconds"]


def test_fingerprints_change_with_what_is_shown():
    trial = a_trial()
    records = records_of(trial)

    def trained(**fields):
        return replace(trial, trainings=(replace(trial.trainings[0], **fields),))

    others = [
        replace(trial, state=State.PRUNED),
        trained(score=0.1),
        trained(best_epoch=0),
        replace(trial, values={**trial.values, "units": 17}),
        trained(curve=trial.curve.until(2)),
    ]
    prints = [records.fingerprint(t) for t in (trial, *others)]
    assert len(set(prints)) == len(prints)
    assert records.fingerprint(replace(trained(seconds=9.0), ended_at=None)) == prints[0]


@pytest.mark.medium
def test_no_tensorflow_is_imported(tmp_path):
    code = (
        "import sys; from tests.tensorboard_search import *\n"
        "from tuning.tensorboard import TensorBoardObserver, serve\n"
        f"play_everything(MadeUpSearch(TensorBoardObserver({str(tmp_path)!r})))\n"
        "heavy = {'tensorflow', 'keras', 'keras_tuner', 'optuna', 'grpc'}\n"
        "print(sorted(heavy & {m.partition('.')[0] for m in sys.modules}))"
    )
    root = GOLDEN.parents[2]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert done.stdout.strip() == "[]"


def test_hosts_are_a_column_once_there_are_two():
    def on(worker, number):
        trial = a_trial(number)
        return replace(trial, trainings=(replace(trial.trainings[0], worker=worker),))

    here, there = on("alpha:0", 1), on("beta:2", 2)
    records = records_of(here)
    assert hparams.HOST not in infos_of(records) and hparams.HOST not in records.session_start(here).hparams
    assert records.learn(there)
    assert infos_of(records)[hparams.HOST].type and hparams.HOST not in first_five(records)
    assert records.session_start(here).hparams[hparams.HOST].string_value == "alpha"
    assert not records.learn(there)
