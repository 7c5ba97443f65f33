"""The `tune` command as a person uses it: output, JSON, errors, exit codes."""

import json
import re
import resource
import subprocess
import sys

import pytest

from tests.conftest import SPACES

CURVE = SPACES / "curve.py"
COMMANDS = (
    *("demo", "new", "run", "show", "list", "board", "best", "finalize", "predict", "report", "compare", "export"),
    *("logs", "cluster", "spaces", "engines", "lr", "baseline", "rename", "clean", "rm", "dashboard"),
)


@pytest.fixture(scope="module")
def logs(tmp_path_factory):
    """A folder with one finished study."""
    path = tmp_path_factory.mktemp("studies") / "logs"
    import tuning

    tuning.search(str(CURVE), engine="random", trials=4, epochs=2, seed=3, logs=path)
    return path


def test_help_shows_every_command_and_an_example(tune_here):
    done = tune_here("--help")
    assert done.returncode == 0
    for word in (*COMMANDS, "Example"):
        assert word in done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help_with_an_example(tune_here, command):
    done = tune_here(command, "--help")
    assert done.returncode == 0 and "Example" in done.stdout


@pytest.mark.medium
def test_help_is_quick_and_loads_nothing_heavy():
    code = (
        "import sys; sys.argv = ['tune', '--help']\n"
        "from tuning.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'tensorflow', 'keras', 'optuna', 'sklearn', 'keras_tuner', 'pandas'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 2, "four times what is promised"


@pytest.mark.medium
@pytest.mark.parametrize("command", ["show", "report"])
def test_who_only_looks_loads_neither_sqlalchemy_nor_what_trains(command, logs):
    code = (
        f"import sys; sys.argv = ['tune', '{command}', 'curve-random', '--logs', {str(logs)!r}]\n"
        "from tuning.cli import main\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code, end\n"
        "heavy = {'tensorflow', 'keras', 'optuna', 'sklearn', 'sqlalchemy', 'pandas'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_what_trials_print_is_kept_and_shown(logs, tune_here):
    from tuning.executors.output import kept
    from tuning.storage.folder import output_path

    study = logs / "curve-random"
    silent = tune_here("logs", study)
    assert silent.returncode == 1 and "no trial has printed anything" in silent.stderr
    with kept(str(output_path(study, 2)), "trial 2 from epoch 0"):
        pass
    assert not (study / "output").exists(), "a trial that prints nothing leaves no file"
    with kept(str(output_path(study, 2)), "trial 2 from epoch 0"):
        print("1/9\r9/9\nsaid \x1b[31mso")
        print("on the other stream", file=sys.stderr)
    done = tune_here("logs", study, 2)
    assert done.returncode == 0 and done.stdout.startswith("=== trial_0002\n--- trial 2 from epoch 0, ")
    assert done.stdout.splitlines()[2:] == ["9/9", "said \\x1b[31mso", "on the other stream"]
    assert tune_here("logs", study, 3).returncode == 1
    assert tune_here("logs", study).stdout == done.stdout


@pytest.mark.medium
def test_importing_the_public_names_loads_no_tensorflow():
    code = (
        "import sys, tuning\n"
        "from tuning import SearchSpace, TuningError, Study, load, search, Objective, Data\n"
        "assert callable(search) and callable(tuning.search)\n"
        "assert 'tensorflow' not in sys.modules and 'keras' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.medium
def test_run_prints_a_table_and_where_to_look(tune):
    done = tune("run", CURVE, "--engine", "random", "--trials", 3, "--epochs", 2, "--seed", 1)
    assert done.returncode == 0, done.stderr
    assert "tune board curve-random" in done.stdout and "logs/curve-random" in done.stdout
    assert "trial 0 " in done.stderr and "best" in done.stderr
    assert re.search(r"^study curve-random: random on curve, seed 1, in \d+ worker process", done.stderr, re.MULTILINE)
    noise = [line for line in done.stderr.splitlines() if "oneDNN" in line or "cuda" in line.lower() or "absl" in line]
    assert not noise, "TensorFlow's log lines reached the screen"


@pytest.mark.medium
def test_run_json_is_one_object_on_standard_output(tune_here):
    limits = ("--trials", 2, "--epochs", 2, "--seed", 0)
    done = tune_here("run", CURVE, "--engine", "random", *limits, "--json", "--study", "s")
    record = json.loads(done.stdout)
    assert set(record) >= {"study", "path", "space", "engine", "seed", "objective", "best", "trials"}
    assert record["seed"] == 0 and record["objective"] == {"name": "val_loss", "direction": "min"}
    assert [t["state"] for t in record["trials"]] == ["COMPLETED", "COMPLETED"]
    shown = json.loads(tune_here("show", "s", "--json").stdout)
    assert shown == {**record, "baselines": []}


@pytest.mark.medium
def test_json_has_null_where_a_score_is_missing(tune_here):
    done = tune_here(
        "run",
        CURVE,
        "--engine",
        "random",
        "--trials",
        5,
        "--epochs",
        2,
        "--seed",
        0,
        "--json",
        "--quiet",
        env={"CURVE_FAILS": "x"},
    )
    trials = json.loads(done.stdout)["trials"]
    failed = [t for t in trials if t["state"] == "FAILED"]
    assert failed and all(t["score"] is None and "cannot be trained" in t["error"] for t in failed)
    assert done.stderr == ""


@pytest.mark.medium
def test_show_list_spaces_engines(tune_here, logs):
    shown = tune_here("show", "curve-random", "--logs", logs, "--top", 2)
    assert shown.returncode == 0 and "4 trials: 4 completed" in shown.stdout
    assert "curve-random" in tune_here("list", "--logs", logs).stdout
    listed = json.loads(tune_here("list", "--logs", logs, "--json").stdout)
    assert listed[0]["study"] == "curve-random" and listed[0]["trials"] == 4
    assert {"fashion_mnist", "california_housing", "digits", "diabetes"} <= {
        s["name"] for s in json.loads(tune_here("spaces", "--json").stdout)
    }
    engines = {e["name"]: e for e in json.loads(tune_here("engines", "--json").stdout)}
    assert {"random", "hyperband", "bayesian"} <= set(engines) and engines["hyperband"]["options"]["factor"][
        "default"
    ] == 3
    assert "fashion_mnist" in tune_here("spaces").stdout and "factor" in tune_here("engines").stdout


@pytest.mark.medium
@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("show", "nothing"), 1, "error: `study` must be a study in 'logs', but got 'nothing'. There are none"),
        (("run", "fashion_mnst"), 1, "Did you mean 'fashion_mnist'?"),
        (("run", "nowhere/space.py"), 1, "there is no 'nowhere/space.py'"),
        (("run", str(CURVE), "--engine", "hyperbnd"), 1, "Did you mean 'hyperband'?"),
        (("run", str(CURVE), "-o", "patience=-1"), 1, "`patience` must be a whole number >= 0, but got -1."),
        (("run", str(CURVE), "-o", "factor"), 2, "NAME=VALUE"),
        (("run", str(CURVE), "--trials", "0"), 2, "--trials"),
        (("run", str(CURVE), "--study", "a/b"), 1, "because it names a folder"),
        (("run", str(CURVE), "--objective", "score"), 1, "training reports val_loss."),
        (("run",), 2, "Missing argument"),
        (("fly",), 2, "No such command"),
    ],
)
def test_errors_are_one_line_with_their_exit_code(tune_here, arguments, code, says):
    done = tune_here(*arguments)
    assert done.returncode == code, done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert code == 2 or len(done.stderr.strip().splitlines()) == 1


def test_a_space_that_cannot_be_imported_says_why(tune_here, tmp_path):
    (tmp_path / "broken.py").write_text("import nothing_of_that_name\n")
    done = tune_here("run", "broken.py")
    assert done.returncode == 1 and "No module named 'nothing_of_that_name'" in done.stderr


@pytest.mark.medium
def test_overwrite_says_what_it_deletes(tune_here):
    arguments = ("run", CURVE, "--engine", "random", "--trials", 1, "--epochs", 1, "--study", "s")
    tune_here(*arguments, "--seed", 1)
    refused = tune_here(*arguments, "--seed", 2)
    assert refused.returncode == 1 and "seed is 2, in the study 1" in refused.stderr
    done = tune_here(*arguments, "--seed", 2, "--overwrite")
    assert done.returncode == 0 and "--overwrite deletes logs/s/trials.db" in done.stderr


LATE = """
from tuning import Data, SearchSpace

class Late(SearchSpace):
    objective = "score:max"
    def build(self, hp): hp.Float("a", 0, 1)
    def fit(self, hp, model, x, *, epochs, callbacks=(), **_):
        for epoch in range(epochs):
            callbacks[0].on_epoch_end(epoch, {"score" if epochs > 1 else "other": 1.0})
    def load_data(self): return Data([1.0])
"""


@pytest.mark.medium
def test_a_refusal_can_be_a_remark(tune_here, tmp_path):
    (tmp_path / "late.py").write_text(LATE)
    arguments = ("run", "late.py", "--engine", "random", "--trials", 1, "--epochs", 2, "--seed", 1)
    refused = tune_here(*arguments)
    assert refused.returncode == 1 and "`objective` must be a metric that training reports" in refused.stderr
    done = tune_here(*arguments, "--no-checks")
    assert done.returncode == 0 and "`objective` must be a metric that training reports" in done.stderr
