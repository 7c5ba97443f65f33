"""Studies for the tests of reports: a small real one, dressed up with trials of any kind."""

import shutil
from dataclasses import replace

from tests.conftest import ROOT
from tuning.hyperparameters import Boolean, Choice, Condition, Fixed, Float, Int
from tuning.records.objective import Objective
from tuning.records.trial import Curve, Run, State, Training, Trial
from tuning.study import Study

SPACE = (
    Float("rate", 1e-3, low=1e-4, high=1e-1, sampling="log"),
    Int("units", 16, low=8, high=64),
    Choice("optimizer", "sgd", choices=("sgd", "adam")),
    Float("momentum", 0.5, low=0, high=1, conditions=(Condition("optimizer", ("sgd",)),)),
    Boolean("bias", True),
    Choice("layers", 4, choices=(2, 4, 8), ordered=True),
    Fixed("version", 3),
)
NASTY = (
    "</script><script>window.hacked=1</script><img src='https://example.com/x' onerror='window.hacked=2'> & <b>bold</b>"
)


def stored(folder, golden="random-finished", name="formula-random"):
    """Return a small stored study, in a folder of its own."""
    shutil.copytree(ROOT / "tests" / "golden" / "studies" / golden, folder / name)
    return Study(folder / name)


def trial(number, optimizer, score, **rest):
    """Return a trial of three epochs that took a minute and a half."""
    values = {"rate": 10.0 ** -(1 + number % 3), "units": 8 + number % 57, "optimizer": optimizer, "bias": True}
    values |= {"momentum": 0.9} if optimizer == "sgd" else {}
    values |= {"layers": (2, 4, 8)[number % 3], "version": 3}
    training = trained(score)
    made = Trial(number, values, State.COMPLETED, (training,), runs=(Run(number, values, 0, 3),),
                 started_at=1e9 + 60 * number, ended_at=1e9 + 60 * number + 90)  # fmt: skip
    return replace(made, **rest)


def trained(score):
    if score is None:
        return Training()
    epochs = tuple({"val_loss": score + 1 / (e + 1), "loss": score + 0.9 / (e + 1)} for e in range(3))
    return Training(Curve(epochs), score, 2, 90.0)


def dressed(made, trials, **changes):
    """Return the study in a folder with other trials, and with other things of its definition."""
    study = Study(made.path)
    study.definition = replace(study.definition, **{"hyperparameters": SPACE, **changes})
    study.trials = list(trials)
    return study


def usual(made, n=24):
    """Return a study of `n` trials and of one that failed, one that was pruned, and one that is running."""
    trials = [trial(k, "sgd" if k % 2 else "adam", 1 / (k + 1) + k % 3) for k in range(n)]
    trials.append(trial(n, "sgd", None, state=State.FAILED, error=f"ValueError: {NASTY}", traceback=f"File {NASTY}"))
    cut = Training(Curve(({"val_loss": 0.4}, {"val_loss": float("inf")})), 0.4, 0)
    trials.append(trial(n + 1, "adam", 0.4, state=State.PRUNED, trainings=(cut,)))
    trials.append(trial(n + 2, "adam", None, state=State.RUNNING, ended_at=None))
    return dressed(made, trials)


def divided(made, n=6):
    """Return a study of three folds and two repeats, trained on two machines."""
    trials = []
    for k in range(n):
        parts = tuple(trained(1 / (k + 1) + p / 100) for p in range(6))
        parts = tuple(replace(part, untils=(3,), worker=f"machine-{p % 2}:{k % 3}") for p, part in enumerate(parts))
        joint = trained(1 / (k + 1) + 0.025)
        counted = tuple((2, part.score) for part in parts)
        trials.append(trial(k, "sgd", None, trainings=parts, joint=joint, counted=counted))
    cv = {"folds": 3, "splitter": "KFold(3)", "is_number": True}
    return dressed(made, trials, cv=cv, repeats=2)


def of_two_objectives(made, n=20):
    """Return a study of a loss and a size, most of whose trials are beaten."""
    both = (Objective("val_loss", "min"), Objective("n_params", "min"))
    trials = [
        trial(k, "sgd", 1 / (k + 1), scores=(1 / (k + 1), float(1000 * (k + 1 if k % 4 == 0 else 100))))
        for k in range(n)
    ]
    return dressed(made, trials, several=both)


def hostile(made, n=12):
    """Return a study whose names, values and labels all try to be markup."""
    named = (Choice(NASTY, NASTY, choices=(NASTY, "</title>")), Float("{{ 7*7 }}", 0.5, low=0, high=1))
    trials = [
        replace(trial(k, NASTY, k + 1.0), values={NASTY: (NASTY, "</title>")[k % 2], "{{ 7*7 }}": k / n})
        for k in range(n)
    ]
    trials.append(trial(n, NASTY, None, state=State.FAILED, error=NASTY, traceback=NASTY, compiled=False,
                        compiled_reason=NASTY))  # fmt: skip
    study = dressed(made, trials, hyperparameters=named, space=NASTY, engine="random", options={NASTY: NASTY},
                    data={NASTY: NASTY}, fit={NASTY: NASTY})  # fmt: skip
    return study
