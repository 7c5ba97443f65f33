"""The engine on Optuna: the contract for each sampler, and what samplers and pruners are told."""

import json
import subprocess
import sys
from dataclasses import replace

import optuna
import pytest

from tests.conftest import ROOT
from tests.contracts.engine import EngineContract
from tests.simulation import MIXED_SPACE, OBJECTIVE, Simulation, proposals
from tuning.engines.configurations import every_configuration
from tuning.engines.optuna.kind import OPTUNA
from tuning.engines.registry import make_engine, read_options, settle, stored_options
from tuning.errors import OptionError
from tuning.hyperparameters import Condition, Float
from tuning.records.definition import Definition
from tuning.records.objective import Objective
from tuning.records.trial import State, Training, Trial
from tuning.space import active_values

FINITE_SPACE = (
    *(h for h in MIXED_SPACE if h.kind != "float"),
    Float("rate", 0.1, low=0.1, high=0.5, step=0.1, conditions=(Condition("clip", (1.0,)),)),
    Float("decay", 0.1, low=0.001, high=0.1, step=10, sampling="log"),
)
FLAT_FINITE_SPACE = (
    *(h for h in MIXED_SPACE if h.kind != "float" and not h.conditions and h.name != "units"),
    Float("decay", 0.1, low=0.001, high=0.1, step=10, sampling="reverse_log"),
)


class OptunaContract(EngineContract):
    name = "optuna"
    options = {"n_startup_trials": 4}

    # One sampler's golden proposals are enough to see that the engine has changed, and one process for all samplers.
    test_golden_proposals = None
    test_the_same_in_another_process = None


class TestAuto(OptunaContract):
    """What a person gets who says nothing, on a space with conditions: TPE, here after four trials."""

    test_golden_proposals = EngineContract.test_golden_proposals


class TestGaussianProcess(OptunaContract):
    label = "gaussian_process"
    options = {"model": "gaussian_process", "n_startup_trials": 4}
    test_golden_proposals = EngineContract.test_golden_proposals


class TestTpe(OptunaContract):
    options = {"sampler": "tpe", "n_startup_trials": 4}


class TestQmc(OptunaContract):
    options = {"sampler": "qmc"}


class TestRandom(OptunaContract):
    options = {"sampler": "random"}


class TestCmaEs(OptunaContract):
    options = {"sampler": "cmaes", "n_startup_trials": 1}

    def make(self, *args, **kwargs):
        pytest.importorskip("cmaes")
        return super().make(*args, **kwargs)


class TestGp(OptunaContract):
    options = {"sampler": "gp", "n_startup_trials": 3}
    limit = length = 6

    def make(self, *args, **kwargs):
        pytest.importorskip("torch")
        return super().make(*args, **kwargs)


class TestNsga2(OptunaContract):
    options = {"sampler": "nsga2", "population_size": 4}


class TestNsga3(OptunaContract):
    options = {"sampler": "nsga3", "population_size": 4}


class TestBruteForce(OptunaContract):
    options = {"sampler": "brute_force"}
    space = FINITE_SPACE


class TestGrid(OptunaContract):
    options = {"sampler": "grid"}
    space = FLAT_FINITE_SPACE


SAMPLERS = (TestAuto, TestGaussianProcess, TestTpe, TestQmc, TestRandom, TestNsga2, TestNsga3, TestBruteForce, TestGrid)


def some_proposals():
    return [proposals(Simulation(contract().make(5)).go(7).runs) for contract in SAMPLERS]


@pytest.mark.medium
def test_every_sampler_proposes_the_same_in_another_process():
    code = f"import json; from {__name__} import some_proposals; print('|' + json.dumps(some_proposals()))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.partition("|")[2]) == json.loads(json.dumps(some_proposals()))


def divided(number, scores, run):
    """Return a trial of eight folds, the first of which have ended with `scores`."""
    ended = [Training(score=score, untils=(9,)) for score in scores]
    trainings = (*ended, *(8 - len(ended)) * [Training()])
    return Trial(number, run.values, trainings=trainings, joint=Training(score=sum(scores) / len(scores)), runs=(run,))


@pytest.mark.medium
def test_wilcoxon_compares_the_folds_of_trials():
    definition = definition_of(pruner="wilcoxon")
    with pytest.raises(OptionError, match="compares the scores of folds or repeats and there are none"):
        settle(definition, {})
    definition = settle(replace(definition, cv={"folds": 8, "splitter": "KFold", "is_number": True}), {})
    engine = make_engine(definition, 10)
    good = [0.9, 0.91, 0.92, 0.93, 0.94, 0.95, 0.96, 0.97]
    run = engine.ask()
    assert not any(engine.should_stop(divided(0, good[: n + 1], run)) for n in range(8))
    engine.tell(replace(divided(0, good, run), state=State.COMPLETED))
    run = engine.ask()
    answers = [engine.should_stop(divided(1, [s - 0.5 - s / 10 for s in good[: n + 1]], run)) for n in range(8)]
    assert not any(answers[:3]) and answers[-1], "few folds prove nothing, many do"
    better = engine.ask()
    assert not any(engine.should_stop(divided(2, [s + 0.01 for s in good[: n + 1]], better)) for n in range(8))


NUMBERS = tuple(h for h in MIXED_SPACE if h.kind in ("int", "float") and not h.conditions)


@pytest.mark.medium
@pytest.mark.parametrize("kind", [{}, {"use_separable_cma": True}, {"with_margin": True}, {"popsize": 3}])
@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_cmaes_makes_its_optimizer_again(kind):
    pytest.importorskip("cmaes", reason="cmaes is not installed: pip install 'keras-tuning[cmaes]'")

    def simulated():
        definition = settle(definition_of(NUMBERS, sampler="cmaes"), {})
        sampler = optuna.samplers.CmaEsSampler(n_startup_trials=2, warn_independent_sampling=False, **kind)
        return make_engine(definition, 40, {"sampler": sampler})

    straight = Simulation(simulated(), fails=lambda values: values["units"] == 64).go(40)
    notes = [run.note for run in straight.runs]
    assert sum(note.get("remake", False) for note in notes) > 3 and "optimizer" not in json.dumps(notes)
    resumed = Simulation(simulated(), fails=lambda values: values["units"] == 64)
    for part in (17, 13, 10):
        resumed = resumed.go(part).resumed_on(simulated())
    assert [run.values for run in resumed.runs] == [run.values for run in straight.runs]
    assert [run.note for run in resumed.runs] == notes


# What is refused, and what is said ------------------------------------------------------------------------


def definition_of(space=MIXED_SPACE, several=(), **options):
    objective = several[0] if several else OBJECTIVE
    read, _ = stored_options(read_options("optuna", options))
    return Definition("study", "space", None, tuple(space), objective, "optuna", read, 0, 9, several=tuple(several))


SEVERAL = (OBJECTIVE, Objective("n_params", "min"))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"sampler": "grid"}, "there is no end of them in learning_rate, beta, rate"),
        ({"sampler": "brute_force"}, "Give them a step, fix them, or use another sampler"),
        ({"sampler": "grid", "space": FINITE_SPACE}, "Use sampler=brute_force"),
        ({"sampler": "cmaes", "several": SEVERAL}, "such as tpe, gp, nsga2 or nsga3"),
        ({"sampler": "gaussian_process", "several": SEVERAL}, "such as tpe, gp, nsga2 or nsga3"),
        ({"model": "gaussian_process", "several": SEVERAL}, "`model` must be one for several objectives, tpe or gp"),
        ({"pruner": "median", "several": SEVERAL}, "`pruner` must be none for several objectives"),
        ({"pruner": "threshold"}, "`lower` or `upper` must be given"),
        ({"pruner": "wilcoxon"}, "Search with cv=5"),
    ],
)
def test_what_cannot_work_is_refused(arguments, says):
    with pytest.raises(OptionError) as error:
        settle(definition_of(**arguments), {})
    assert says in str(error.value)


@pytest.mark.parametrize(("sampler", "package"), [("gp", "torch"), ("cmaes", "cmaes")])
def test_a_missing_extra_is_named_with_its_command(monkeypatch, sampler, package):
    monkeypatch.setattr("tuning.engines.optuna.samplers.EXTRAS", {sampler: "a_package_that_is_not_there"})
    for options in ({"sampler": sampler}, {"sampler": "auto", "model": sampler}):
        if options.get("model") == "cmaes":
            continue
        with pytest.raises(OptionError) as error:
            settle(definition_of(**options), {})
        assert f"pip install 'keras-tuning[{sampler}]'" in str(error.value)


@pytest.mark.parametrize(
    "options",
    [
        {"sampler": "tpee"},
        {"pruner": 3},
        {"percentile": 101},
        {"model": "qmc"},
        {"lower": "nan"},
        {"warmup_epochs": -1},
    ],
)
def test_options_that_do_not_fit(options):
    with pytest.raises(OptionError, match=f"`{next(iter(options))}` must be"):
        read_options("optuna", options)


def test_auto_begins_with_the_defaults_and_ends_with_a_model():
    for model, startup in (("gaussian_process", 5), ("tpe", 10)):
        definition = settle(definition_of(model=model), {})
        said = OPTUNA.remark(definition, 20)
        assert f"the default values, then quasi-random points up to {startup} trials, then" in said
        assert settle(definition, {}) == definition, "a study that goes on keeps to what was chosen"
    runs = Simulation(make_engine(definition, 12)).go(12).runs
    assert runs[0].values == active_values(MIXED_SPACE, {})
    quasi = Simulation(make_engine(settle(definition_of(sampler="qmc"), {}), 9)).go(9).runs
    assert [r.values for r in runs[1:10]] == [r.values for r in quasi]


def test_cmaes_says_what_it_draws_at_random():
    pytest.importorskip("cmaes")
    said = OPTUNA.remark(settle(definition_of(sampler="cmaes"), {}), 20)
    assert (
        said
        == "cmaes draws at random what has no order or is not always there: bias, optimizer, clip, nesterov, beta, rate"
    )


@pytest.mark.medium
def test_brute_force_and_grid_visit_everything_once():
    for sampler, space in (("brute_force", FINITE_SPACE[4:]), ("grid", FLAT_FINITE_SPACE[2:])):
        simulation = Simulation(make_engine(settle(definition_of(space, sampler=sampler), {}), 10_000)).go(10_000)
        tried = {repr(run.values) for run in simulation.runs}
        assert len(tried) == len(simulation.runs) == len(list(every_configuration(space)))


def test_two_trials_at_once_are_different_and_end_in_any_order():
    simulation = Simulation(make_engine(settle(definition_of(sampler="tpe", n_startup_trials=2), {}), 20)).go(6)
    first, second, third = simulation.ask(), simulation.ask(), simulation.ask()
    assert len({repr(run.values) for run in (first, second, third)}) == 3
    simulation.train(third)
    simulation.train(first)
    twin = simulation.resumed_on(make_engine(settle(definition_of(sampler="tpe", n_startup_trials=2), {}), 20))
    assert proposals([simulation.ask()]) == proposals([twin.ask()])
