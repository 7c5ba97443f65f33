"""The executor with worker processes: what happens when they are killed, stopped, or cannot start."""

import os
import signal
import subprocess
import sys
import threading
import time
import types

import numpy as np
import psutil
import pytest

from tests.contracts.executor import ExecutorContract, Scripted, task, trained
from tests.processes import are_gone, workers_of
from tuning import Data, TuningError
from tuning.executors import handle as handles
from tuning.executors import patience, processes
from tuning.executors.processes import ProcessExecutor
from tuning.space import SearchSpace, resolve
from tuning.training.messages import Failed, Finished, Lost, Report
from tuning.training.options import TrainingOptions

OPEN = []


def started(space=None, slots=2, **options):
    space = Scripted() if space is None else space
    executor = ProcessExecutor(slots, **options)
    OPEN.append(executor)
    executor.load(None, space, space.load_data())
    return executor


@pytest.fixture(autouse=True)
def _close_all():
    yield
    while OPEN:
        OPEN.pop().close()


@pytest.fixture
def executor():
    return started()


class TestProcessExecutor(ExecutorContract):
    pass


def pid_of(report):
    return int(report.metrics["pid"])


def heard_until(executor, wanted, react=lambda message: None):
    """Poll until a message for which `wanted` holds; return all."""
    from tuning.training.messages import Decision

    heard = []

    def handle(message):
        heard.append(message)
        react(message)
        return Decision.GO

    end = time.monotonic() + 60
    while not any(map(wanted, heard)):
        assert time.monotonic() < end, f"only heard {heard}"
        executor.poll(handle)
    return heard


@pytest.mark.medium
def test_it_trains_elsewhere(executor):
    executor.submit(task())
    assert trained(executor)[0].metrics["pid"] != os.getpid()


@pytest.mark.medium
def test_workers_know_what_a_program_has_set_in_keras():
    keras = pytest.importorskip("keras")
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        executor = started(Scripted(), slots=1)
        assert executor.call(lambda space, data: keras.config.dtype_policy().name) == "mixed_float16"
    finally:
        keras.config.set_dtype_policy(before)


# Killed and stopped workers ---------------------------------------------------------------------------


@pytest.mark.medium
def test_a_killed_worker_loses_its_task_within_a_second_and_its_sibling_nothing(executor):
    executor.submit(task(0, epochs=200, seconds=0.01))
    executor.submit(task(1, epochs=60, seconds=0.02))
    killed_at = []

    def kill(message):
        if isinstance(message, Report) and (message.number, message.epoch) == (0, 5):
            os.kill(pid_of(message), signal.SIGKILL)
            killed_at.append(time.monotonic())

    heard = heard_until(executor, lambda m: isinstance(m, Lost), kill)
    assert time.monotonic() - killed_at[0] < 1
    assert heard[-1] == Lost(0, "its worker process died: killed by signal 9")
    executor.submit(task(0, epochs=2))
    while {m.number for m in heard if isinstance(m, Finished)} != {0, 1}:
        heard += heard_until(executor, lambda m: isinstance(m, Finished))
    sibling = [m for m in heard if m.number == 1]
    assert [m.epoch for m in sibling[:-1]] == list(range(60)) and len({pid_of(m) for m in sibling[:-1]}) == 1


@pytest.mark.medium
def test_a_worker_that_ends_by_itself_is_lost_with_its_exit_code():
    class Leaving(Scripted):
        def build(self, hp):
            os._exit(7)

    executor = started(Leaving(), slots=1)
    executor.submit(task())
    (lost,) = trained(executor)
    assert lost == Lost(0, "its worker process died: exit code 7")


@pytest.mark.medium
def test_a_stopped_worker_is_killed_after_the_limit_and_does_not_come_back():
    executor = started(silence_seconds=0.6)
    executor.submit(task(0, epochs=100, seconds=0.02))
    stopped = []

    def stop(message):
        if isinstance(message, Report) and message.epoch == 3:
            stopped.append((pid_of(message), time.monotonic()))
            os.kill(pid_of(message), signal.SIGSTOP)

    heard = heard_until(executor, lambda m: isinstance(m, Lost), stop)
    pid, when = stopped[0]
    assert 0.5 < time.monotonic() - when < 3
    assert heard[-1] == Lost(0, "its worker process reported nothing for 0.6 s")
    with pytest.raises(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)
    executor.submit(task(0, epochs=3))
    assert [m.epoch for m in trained(executor)[:-1]] == [0, 1, 2], "nothing of the old attempt is heard"


@pytest.mark.medium
def test_a_worker_that_is_stopped_for_less_than_the_limit_goes_on():
    executor = started(silence_seconds=5)
    executor.submit(task(0, epochs=10, seconds=0.02))

    def pause(message):
        if isinstance(message, Report) and message.epoch == 3:
            os.kill(pid_of(message), signal.SIGSTOP)
            threading.Timer(0.3, os.kill, (pid_of(message), signal.SIGCONT)).start()

    heard = heard_until(executor, lambda m: not isinstance(m, Report), pause)
    assert [m.epoch for m in heard[:-1]] == list(range(10)) and isinstance(heard[-1], Finished)


@pytest.mark.medium
def test_a_driver_that_was_busy_does_not_take_waiting_workers_for_dead():
    executor = started(silence_seconds=0.5)
    for number in (0, 1):
        executor.submit(task(number, epochs=4, seconds=0.01))

    def linger(message):
        if isinstance(message, Report) and message.epoch == 1:
            time.sleep(0.8)

    heard = heard_until(executor, lambda m: not isinstance(m, Report), linger)
    heard += heard_until(executor, lambda m: not isinstance(m, Report), linger)
    assert not any(isinstance(m, Lost) for m in heard)


@pytest.mark.slow
def test_a_worker_that_stands_still_in_the_middle_of_a_message_does_not_hold_up_the_driver(monkeypatch):
    monkeypatch.setattr(handles, "CHANNEL_SECONDS", 1)

    class Wordy(Scripted):
        def fit(self, hp, model, x, *, callbacks=(), **_):
            threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGSTOP)).start()
            while True:  # most of the time is spent in writing messages
                callbacks[0].on_epoch_end(0, {"score": 1.0, **{f"metric {i}": 0.5 for i in range(20_000)}})

    executor = started(Wordy(), slots=1, silence_seconds=2)
    executor.submit(task())
    begun = time.monotonic()
    lost = heard_until(executor, lambda m: isinstance(m, Lost))[-1]
    assert time.monotonic() - begun < 10 and lost.number == 0


@pytest.mark.medium
def test_close_ends_workers_that_hold_the_interpreter_or_sleep():
    class Busy(Scripted):
        def fit(self, hp, model, x, *, epochs, callbacks=(), **_):
            callbacks[0].on_epoch_end(0, {"score": 1.0})
            if epochs == 1:
                time.sleep(100)
            sum(range(10**12))  # one instruction: no other thread of the worker gets its turn

    executor = started(Busy())
    executor.submit(task(0, epochs=1))
    executor.submit(task(1, epochs=2))
    seen = set()
    while len(seen) < 2:
        seen |= {m.number for m in heard_until(executor, lambda m: isinstance(m, Report))}
    workers = workers_of()
    begun = time.monotonic()
    executor.close()
    assert time.monotonic() - begun < 5
    assert len(workers) == 2 and are_gone(workers, 0.1)


@pytest.mark.medium
def test_what_a_worker_has_started_is_killed_with_it():
    class Parent(Scripted):
        def fit(self, hp, model, x, *, callbacks=(), **_):
            helper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(100)"])
            callbacks[0].on_epoch_end(0, {"score": 1.0, "helper": helper.pid})
            time.sleep(100)

    executor = started(Parent(), slots=1)
    executor.submit(task())
    report = heard_until(executor, lambda m: isinstance(m, Report))[0]
    helper = psutil.Process(int(report.metrics["helper"]))
    executor.close()
    assert are_gone([helper], 3)


# Workers that cannot start ----------------------------------------------------------------------------


@pytest.mark.slow
def test_workers_that_die_at_their_start_end_the_search_after_a_few_tries():
    class Dying(Scripted):
        def __setstate__(self, state):
            os._exit(3)

        def __getstate__(self):
            return {}

    executor = started(Dying())
    executor.submit(task())
    with pytest.raises(TuningError, match="4 worker processes in a row ended before they were ready.*exit code 3"):
        heard_until(executor, lambda m: False)
    executor.close()
    assert not workers_of()


@pytest.mark.medium
def test_a_worker_that_is_killed_before_it_is_ready_costs_no_attempt(executor):
    (first, second) = executor._workers
    os.kill(first.pid, signal.SIGKILL)
    os.kill(second.pid, signal.SIGKILL)
    executor.submit(task())
    assert isinstance(trained(executor)[-1], Finished)


@pytest.mark.medium
def test_a_space_that_cannot_be_loaded_in_a_worker_is_an_error_at_once():
    class Picky(Scripted):
        def __setstate__(self, state):
            raise ImportError("No module named 'only_on_the_driver'")

        def __getstate__(self):
            return {}

    executor = started(Picky())
    with pytest.raises(TuningError, match="could not load the search: ImportError: No module named 'only"):
        executor.call(len)
    executor = started(Picky())
    executor.submit(task())
    with pytest.raises(TuningError, match="only_on_the_driver"):
        heard_until(executor, lambda m: False)


@pytest.mark.medium
def test_a_call_says_how_the_worker_died_and_raises_what_was_raised(executor):
    with pytest.raises(ZeroDivisionError):
        executor.call(lambda space, data: 1 / 0)
    assert executor.call(lambda space, data, more: (space.name, len(data.x), more), 5) == ("scripted", 10, 5)
    with pytest.raises(TuningError, match="died while it looked at the search: exit code 9"):
        executor.call(lambda space, data: os._exit(9))


@pytest.mark.slow
def test_a_call_may_take_longer_than_a_message(monkeypatch):
    monkeypatch.setattr(handles, "CHANNEL_SECONDS", 1)
    assert started(slots=1).call(lambda space, data: time.sleep(1.5) or "looked") == "looked"


@pytest.mark.medium
def test_a_call_that_hangs_is_ended_where_silence_is_limited(monkeypatch):
    monkeypatch.setattr(patience, "LOOK_SECONDS", 0.5)
    executor = started(slots=1, silence_seconds=0.1)
    with pytest.raises(TuningError, match=r"nothing for 0\.5 s while it looked at the search.*--silence-limit"):
        executor.call(lambda space, data: time.sleep(600))


@pytest.mark.medium
@pytest.mark.parametrize("where", ["space", "task", "call"])
def test_what_cannot_be_sent_is_named(where, executor):
    unsendable = threading.Lock()
    with pytest.raises(TuningError, match=r"cannot be sent to worker processes: TypeError: cannot pickle.*workers=1"):
        if where == "space":
            space = Scripted()
            space.lock = unsendable
            started(space)
        elif where == "task":
            from dataclasses import replace

            executor.submit(
                replace(task(), options=TrainingOptions(uses_keras=False, fit_options={"callbacks": [unsendable]}))
            )
        else:
            executor.call(len, unsendable)


@pytest.mark.medium
def test_a_task_that_cannot_be_read_has_failed(executor):
    class Unreadable:
        def __reduce__(self):
            return (int, ("not a number",))

    from dataclasses import replace

    executor.submit(
        replace(task(4), options=TrainingOptions(uses_keras=False, fit_options={"callbacks": [Unreadable()]}))
    )
    (last,) = trained(executor)
    assert isinstance(last, Failed) and last.number == 4 and "not a number" in last.error


# Where spaces come from -----------------------------------------------------------------------------------


@pytest.mark.medium
def test_a_space_of_a_file_travels_by_value(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        "import numpy\nfrom tuning import Data, SearchSpace\n"
        "def helper(x): return float(x) + 0.5\n"
        "class Mine(SearchSpace):\n"
        "    objective = 'score:max'\n"
        "    def build(self, hp): return None\n"
        "    def fit(self, hp, model, x, **_): return {'score': helper(x[1])}\n"
        "    def load_data(self): return Data(numpy.arange(3.0))\n"
        "def build_model(hp): return helper(1)\n"
    )
    executor = started(resolve(str(path)), slots=1)
    executor.submit(task())
    assert trained(executor)[0].metrics["score"] == 1.5
    module = sys.modules["_tuning_space_mine"]
    assert executor.call(lambda space, data: module.build_model(None)) == 1.5


@pytest.mark.medium
def test_a_space_of_a_notebook_travels_by_value():
    namespace = {"__name__": "__main__"}
    exec(  # what a notebook does with its cells
        "from tuning import Data, SearchSpace\nFACTOR = 3\n"
        "def scaled(x): return FACTOR * float(x)\n"
        "class InCell(SearchSpace):\n"
        "    name, objective = 'cell', 'score:max'\n"
        "    def build(self, hp): return None\n"
        "    def fit(self, hp, model, x, **_): return scaled(x[1])\n"
        "    def load_data(self): return Data([1.0, 2.0])\n",
        namespace,
    )
    executor = started(namespace["InCell"](), slots=1)
    executor.submit(task())
    assert trained(executor)[0].metrics["score"] == 6.0


@pytest.mark.medium
def test_a_module_made_in_the_program_does_not_stay_registered():
    import cloudpickle

    sys.modules["_tuning_space_ghost"] = types.ModuleType("_tuning_space_ghost")
    before = cloudpickle.list_registry_pickle_by_value()
    started()
    assert cloudpickle.list_registry_pickle_by_value() == before
    del sys.modules["_tuning_space_ghost"]


# Data, output, memory, environment ------------------------------------------------------------------------


class Inspecting(SearchSpace):
    name, objective = "inspecting", "score:max"

    def __init__(self, x):
        super().__init__()
        self._x = x

    def load_data(self):
        return Data(self._x)


@pytest.mark.medium
def test_arrays_are_mapped_and_can_be_written_to_by_nobody_else():
    x = np.arange(1e6)
    x[0] = 5
    executor = started(Inspecting(x))

    def write(space, data):
        address = data.x.__array_interface__["data"][0]
        data.x[0] += 1
        return data.x[0], data.x.sum(), address % 64

    assert executor.call(write) == (6.0, x.sum() + 1, 0)
    assert x[0] == 5
    frozen = x.copy()
    frozen.flags.writeable = False
    executor.close()
    executor = started(Inspecting(frozen))
    assert executor.call(lambda space, data: data.x.flags.writeable) is False


@pytest.mark.medium
def test_nothing_is_left_in_the_temporary_folder_and_nothing_there_is_needed(tmp_path, monkeypatch):
    import tempfile

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    executor = started(slots=1)
    assert not list(tmp_path.iterdir())
    executor._replace(executor._workers[0])  # a later worker finds the data all the same
    executor.submit(task())
    assert isinstance(trained(executor)[-1], Finished)


@pytest.mark.medium
def test_a_folder_without_room_is_an_error_that_says_what_to_do(monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(processes, "write_payload", full)
    with pytest.raises(TuningError, match="No space left on device.*TMPDIR"):
        started()


@pytest.mark.slow
def test_what_a_worker_prints_is_not_the_drivers_output(tmp_path):
    program = (
        "import os, tuning\n"
        "class Loud(tuning.SearchSpace):\n"
        "    name, objective = 'loud', 'score:max'\n"
        "    def build(self, hp): hp.Float('a', 0, 1); print('from python'); os.system('echo from a shell')\n"
        "    def fit(self, hp, model, *_, **__): os.write(1, b'from below'); return 1.0\n"
        "    def load_data(self): return tuning.Data([1])\n"
        "tuning.search(Loud(), engine='random', trials=2, workers=2, logs='logs', verbose=0)\n"
        "print('the end')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=60,
                          env={**os.environ, "PYTHONPATH": os.getcwd()}, check=True)  # fmt: skip
    assert done.stdout == "the end\n"
    assert all(text in done.stderr for text in ("from python", "from a shell", "from below"))


@pytest.mark.slow
def test_a_worker_that_has_grown_is_replaced_by_a_fresh_one(monkeypatch):
    class Greedy(Scripted):
        kept: list = []

        def fit(self, hp, model, x, **options):
            super().fit(hp, model, x, **options)
            self.kept.append(np.ones(2_000_000))  # 16 MB

    monkeypatch.setattr(handles, "MAX_GROWTH_BYTES", 40_000_000)
    executor = started(Greedy(), slots=1)
    pids = []
    for number in range(8):
        executor.submit(task(number, epochs=1))
        pids.append(pid_of(trained(executor)[0]))
    assert 2 <= len(set(pids)) <= 3 and pids == sorted(pids, key=pids.index)
    executor.close()
    monkeypatch.setattr(handles, "MAX_GROWTH_BYTES", 10**12)
    monkeypatch.setattr(handles, "LEAST_GROWTH_BYTES", 20_000_000)
    for free, fewest in ((10**12, 1), (10**7, 2)):  # where memory is short, a worker may grow by less
        monkeypatch.setattr(processes, "free_bytes", lambda free=free: free)
        executor = started(Greedy(), slots=1)
        pids = set()
        for number in range(4):
            executor.submit(task(number, epochs=1))
            pids.add(pid_of(trained(executor)[0]))
        executor.close()
        assert len(pids) == fewest


@pytest.mark.slow
def test_a_long_search_leaves_no_descriptors_open():
    executor = started(slots=1)
    executor.submit(task())
    trained(executor)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        executor._replace(executor._workers[0])
    executor.submit(task())
    trained(executor)
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.medium
def test_a_worker_that_is_killed_while_it_looks_is_replaced_once(executor, tmp_path):
    def dies_once(space, data, mark):
        if not os.path.exists(mark):
            open(mark, "w").close()
            os.kill(os.getpid(), signal.SIGKILL)
        return "looked"

    assert executor.call(dies_once, str(tmp_path / "mark")) == "looked"
