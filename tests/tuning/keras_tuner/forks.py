"""Programs in forks of one process that has imported everything heavy, worker processes among them.

Owns that process. A fork is a process of its own in every respect but one: it spends no seconds on importing Keras.
What is tried has not been imported before: in each fork the toolkit is switched on by the program, or by the command
that runs it.
"""

import ctypes
import gc
import importlib
import json
import os
import random
import runpy
import signal
import socket
import subprocess
import sys
import types
from pathlib import Path

from tests.conftest import ROOT

N_WORKERS = 16
"""Worker processes that a program may start one after the other."""


class Forks:
    """The process, as a test holds it.

    Args:
        cache: folder for what XLA has compiled, which is the same in each way of running a program.
    """

    def __init__(self, cache):
        flags = f"--tf_xla_persistent_cache_directory={cache} --tf_xla_persistent_cache_prefix=programs"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.tuning.keras_tuner.forks"],
            cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT), "TF_XLA_FLAGS": flags}, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def run(self, folder, text, way="plain", workers=1, seconds=240):
        """Run a program in a folder; return all that it wrote, or fail with that.

        Args:
            folder: an empty one.
            text: of the program.
            way: "import", "command" or "install", by which KerasTuner's own search is replaced by ours and refuses
                to be called; or "plain", for KerasTuner alone.
            workers: processes that train.
            seconds: after which the program is killed.
        """
        (folder / "program.py").write_text(switched_on(way, text), encoding="utf-8")
        asked = {"folder": str(folder), "way": way, "workers": workers, "seconds": seconds}
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        code = self._process.stdout.readline().strip()
        written = (folder / "written.txt").read_text(encoding="utf-8", errors="replace")
        assert code == "0", f"exit code {code}\n{written[-6000:]}"
        return written

    def close(self):
        self._process.stdin.close()
        self._process.wait()


def switched_on(way, text):
    """Return a program's text with what a way of switching on changes in it."""
    if way == "import":
        legacy = text.replace("from kerastuner.", "from tuning.keras_tuner.")
        legacy = legacy.replace("import kerastuner", "import tuning.keras_tuner as kerastuner")
        legacy = legacy.replace("from keras_tuner", "from tuning.keras_tuner")
        return legacy.replace("import keras_tuner as kt", "import tuning.keras_tuner as kt")
    return f"import tuning.keras_tuner\n\ntuning.keras_tuner.install()\n{text}" if way == "install" else text


def _serve():
    import alembic.command  # noqa: F401
    import kerastuner  # noqa: F401
    import optuna  # noqa: F401
    import pandas  # noqa: F401
    import sklearn.ensemble  # noqa: F401
    from tensorflow.python.eager import context

    import tuning.executors.worker
    import tuning.storage.store  # noqa: F401

    assert "tuning.keras_tuner" not in sys.modules
    assert context.context()._context_handle is None, "a fork would lack TensorFlow's threads"
    gc.freeze()  # KerasTuner collects before each model, and what was imported is much to look through
    answers = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        asked = json.loads(line)
        program = os.fork()
        if program == 0:
            answers.close()
            _be_program(**asked)
        status = os.waitpid(program, 0)[1]
        print(os.waitstatus_to_exitcode(status), file=answers, flush=True)


def _be_program(folder, way, workers, seconds):
    """Become the program; never return."""
    os.chdir(folder)
    written = os.open("written.txt", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    for descriptor in (1, 2):
        os.dup2(written, descriptor)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    signal.alarm(seconds)
    os.environ["TUNE_WORKERS"] = str(workers)
    code = 1
    try:
        _draw_equal_seeds()
        if workers > 1:
            _prepare_workers()
        if way != "plain":
            _refuse_genuine_searches()
        _run(way)
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _draw_equal_seeds():
    """Have the seeds that a program leaves to chance be the same each time, whatever else draws at random."""
    importlib.import_module("keras_tuner.src.engine.oracle").random = random.Random(1)


def _run(way):
    sys.path.insert(0, os.getcwd())
    if way != "command":
        sys.argv = ["program.py"]
        runpy.run_path("program.py", run_name="__main__")
        return

    def replace_this_process(path, arguments):
        assert arguments[1] == "-m"
        sys.argv = arguments[2:]
        runpy.run_module(arguments[2], run_name="__main__", alter_sys=True)

    os.execv = replace_this_process
    sys.argv = ["tune", "keras-tuner", "program.py"]
    runpy.run_module("tuning.cli", run_name="__main__", alter_sys=True)


def _refuse_genuine_searches():
    from keras_tuner.engine.base_tuner import BaseTuner

    def refuse(*_, **__):
        raise AssertionError("KerasTuner's own search was called")

    BaseTuner.search = refuse


def _prepare_workers():
    """Fork processes that wait for becoming a worker, before anything runs that no fork survives."""
    from tuning.executors import handle

    stock = []
    for _ in range(N_WORKERS):
        mine, theirs = socket.socketpair()
        pid = os.fork()
        if pid == 0:
            ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # die with the program
            mine.close()
            for _, other in stock:
                other.close()
            _be_worker(theirs)
        theirs.close()
        stock.append((pid, mine))

    class Forked:
        """A worker process as `subprocess.Popen` would be, as far as its handle knows it."""

        def __init__(self, command, pass_fds, env, cwd, **_):
            self.pid, asked = stock.pop(0)
            self.returncode = None
            socket.send_fds(asked, [json.dumps([dict(env), str(cwd)]).encode()], pass_fds)
            asked.close()

        def wait(self):
            if self.returncode is None:
                self.returncode = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
            return self.returncode

    handle.subprocess = types.SimpleNamespace(Popen=Forked, DEVNULL=subprocess.DEVNULL)


def _be_worker(asked):
    """Wait until a worker is wanted and be it; never return."""
    code = 1
    try:
        signal.alarm(0)
        sent, descriptors, *_ = socket.recv_fds(asked, 1 << 20, 2)
        environment, folder = json.loads(sent)
        os.setsid()
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        os.dup2(2, 1)
        from tuning.executors.worker import main

        main(*descriptors, os.getppid())
        code = 0
    finally:
        os._exit(code)


def outcome(folder):
    """Return what KerasTuner's own files tell of each project: of its trials the values, the state, and the metrics."""
    found = {}
    for oracle in sorted(Path(folder).glob("**/oracle.json")):
        trials = [json.loads(path.read_text()) for path in sorted(oracle.parent.glob("trial_*/trial.json"))]
        found[str(oracle.parent.relative_to(folder))] = {
            trial["trial_id"]: (
                trial["hyperparameters"]["values"],
                trial["status"],
                {name: len(history["observations"]) for name, history in trial["metrics"]["metrics"].items()},
            )
            for trial in trials
        }
    return found


if __name__ == "__main__":
    _serve()
