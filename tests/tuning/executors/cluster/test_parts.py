"""What the executor on a cluster is made of, without a cluster."""

import os
import types

import dask
import numpy as np
import pytest

from tuning import Data, SearchSpace
from tuning.driver.run import executor_for
from tuning.errors import DataError, StudyError
from tuning.executors import channel, output
from tuning.executors.cluster import agent, executor, files, space, versions
from tuning.executors.cluster.slots import Payload, Slots
from tuning.executors.cluster.wire import Place
from tuning.records.constraint import Constraint
from tuning.records.objective import Objective


def hello(machine, sees=True):
    return {"host": machine, "machine": machine, "folder": "/scratch", "sees": sees}


def held(threads, most=None):
    slots = Slots()
    slots.threads = threads
    return slots, [slots.add(address) for address in slots.free(most)]


# Slots --------------------------------------------------------------------------------------------------


def test_each_thread_is_a_slot_and_a_limit_is_spread_over_machines():
    assert [slot.address for slot in held({"a:1": 2, "b:1": 1})[1]] == ["a:1", "b:1", "a:1"]
    slots, first = held({"a:1": 4, "b:1": 4}, most=3)
    assert [slot.address for slot in first] == ["a:1", "b:1", "a:1"]
    assert not list(slots.free(3))
    first[0].is_refused = True
    assert list(slots.free(3)) == ["b:1"], "what is not used does not count; its thread stays taken"


def test_places_on_a_machine_are_the_lowest_that_are_free():
    slots, found = held({"a:1": 2, "a:2": 2, "b:1": 1})
    for slot in found:
        slots.said_hello(slot, hello(slot.address[0]))
    assert sorted(slot.worker for slot in found) == ["a:0", "a:1", "a:2", "a:3", "b:0"]
    assert {slots.total_on(slot, None) for slot in found if slot.machine == "a"} == {4}
    assert {slots.total_on(slot, 2) for slot in found if slot.place < 2} == {1, 2}
    gone = next(slot for slot in found if slot.worker == "a:1")
    slots.remove(gone)
    (address,) = slots.free(None)
    again = slots.add(address)
    slots.said_hello(again, hello("a"))
    assert again.worker == "a:1" and again.name != gone.name


def test_the_first_of_a_machine_begins_alone_and_the_others_read_its_payload():
    slots, (one, two, three) = held({"a:1": 3})
    for slot in (one, two, three):
        slots.said_hello(slot, hello("a"))
    assert slots.may_begin("a") == [one]
    one.is_begun = True
    assert slots.may_begin("a") == []
    slots.begun(one, Place("/proc/1/fd/3", 5, 7))
    assert slots.may_begin("a") == [two, three] and slots.payload_of("a").inode == 7
    two.is_begun = three.is_begun = True
    slots.begun(two, Place("/proc/2/fd/9", 5, 7))
    slots.begun(three, Place("/proc/3/fd/9", 5, 8))
    assert two.payload is one.payload and three.payload is not one.payload, "it could not open that file"
    slots.remove(one, two, three)
    assert slots.payload_of("a") is None


def test_the_drivers_machine_reads_the_drivers_payload_and_its_slots_begin_at_once():
    own = Payload(Place("/proc/9/fd/9", 5, 7))
    slots = Slots("a", own)
    one, two = [slots.add("a:1") for _ in range(2)]
    for slot in (one, two):
        slots.said_hello(slot, hello("a"))
    assert slots.may_begin("a") == [one, two] and slots.payload_of("a") == own.place
    slots.begun(one, Place("/proc/1/fd/3", 5, 7))
    slots.begun(two, Place("/proc/2/fd/3", 5, 8))
    assert one.payload is own and two.payload is not own, "it could not open that file"
    slots.remove(one, two)
    assert slots.payload_of("a") == own.place, "for those that come later"


def test_the_next_task_goes_to_the_machine_that_trains_the_least():
    slots, found = held({"a:1": 2, "b:1": 2})
    for slot in found:
        slots.said_hello(slot, hello(slot.address[0]))
        slot.is_ready = True
    order = []
    for _ in range(4):
        slot = slots.idle()
        slot.task = object()
        order.append(slot.host)
    assert order == ["a", "b", "a", "b"]


@pytest.mark.parametrize(
    ("goals", "constraint", "alike"),
    [
        (("val_loss",), None, False),
        (("val_loss", "seconds_per_epoch:min"), None, True),
        ((Objective("predict_ms", "min"),), None, True),
        (("val_loss",), "predict_ms<=5", True),
        (("val_loss",), "n_params<=5", False),
    ],
)
def test_a_search_that_compares_times_asks_for_like_machines(goals, constraint, alike, monkeypatch):
    monkeypatch.setattr(executor, "ClusterExecutor", lambda *given: given[-1])
    constraints = None if constraint is None else (Constraint.parse(constraint),)
    given = {"in_process": False, "cluster": "tcp://a:1", "workers": 1, "path": None, "silence_limit": None}
    request = types.SimpleNamespace(**given, goals=goals, constraints=constraints, space=SearchSpace("nothing"))
    assert executor_for(request) is alike


# Files --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["../a", "/etc/passwd", "a/../../b", ""])
def test_a_machine_names_no_file_outside_of_the_study(path, tmp_path):
    with pytest.raises(StudyError, match="must name files of the study"):
        files.write(tmp_path, path, 0, b"x")
    assert not list(tmp_path.iterdir())


def test_files_travel_in_pieces(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "PIECE", 4)
    (tmp_path / "from").write_bytes(b"0123456789")
    with (tmp_path / "from").open("rb") as file:
        sent = list(files.pieces(file))
    assert [position for position, _ in sent] == [0, 4, 8]
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "x").write_bytes(b"longer than what comes")
    for position, content in sent:
        files.write(tmp_path / "there", "x", position, content)
    assert (tmp_path / "there" / "x").read_bytes() == b"0123456789"
    assert files.piece(tmp_path / "from", 4) == b"4567"


def test_only_what_has_changed_is_told_and_no_drafts(tmp_path):
    known = {}
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a").write_text("1")
    (tmp_path / ".unfinished.b").write_text("2")
    (tmp_path / "c.tmp.weights.h5").write_text("3")
    assert files.fresh(tmp_path, known) == (("sub/a", 1),)
    assert files.fresh(tmp_path, known) == ()
    (tmp_path / "sub" / "a").write_text("22")
    assert files.fresh(tmp_path, known) == (("sub/a", 2),)
    files.empty(tmp_path)
    assert not list(tmp_path.iterdir())


def test_an_open_file_is_found_by_others_and_no_other_is_taken_for_it(tmp_path):
    with (tmp_path / "payload").open("w+b") as file:
        file.write(b"what is in it")
        file.flush()
        (tmp_path / "payload").unlink()
        status = os.fstat(file.fileno())
        path = f"/proc/{os.getpid()}/fd/{file.fileno()}"
        with files.opened(Place(path, status.st_dev, status.st_ino)) as found:
            assert found.read() == b"what is in it"
        assert files.opened(Place(path, status.st_dev, status.st_ino + 1)) is None
        assert files.opened(Place("/proc/0/fd/0", 0, 0)) is None and files.opened(None) is None


# Versions and data ------------------------------------------------------------------------------------------


def test_versions_that_must_agree_and_those_that_should():
    mine = {"Python": "3.12.1", "keras-tuning": "0.1.0", "keras": "3.15", "tensorflow": "2.21", "numpy": "2.0"}
    assert versions.refused(mine, {**mine, "Python": "3.12.9"}) == []
    assert versions.refused(mine, {**mine, "Python": "3.13.1"}) == ["Python 3.13.1 instead of 3.12.1"]
    assert versions.refused(mine, {**mine, "keras-tuning": "0.2.0"}) == ["keras-tuning 0.2.0 instead of 0.1.0"]
    assert versions.differing(mine, {**mine, "keras": "3.14"}) == ["keras 3.14 instead of 3.15"]
    assert versions.installed().keys() == mine.keys()


class Own(SearchSpace):
    name, objective = "own", "loss:min"

    def build(self, hp):
        return None

    def load_data(self):
        return Data(np.arange(float(os.environ.get("OWN_DATA", "9"))), validation=(np.arange(3.0),))


def test_a_space_loads_its_own_data_on_each_machine(tmp_path, monkeypatch):
    here = Own()
    wanted = space.order(None, here, here.load_data())
    path = tmp_path / "payload"
    path.touch()
    space.gathered(None, None, wanted, str(path))
    with path.open("rb") as file:
        source, made, data = channel.read_payload(file.fileno())
    assert source is None and made.name == "own" and data.fingerprint() == here.load_data().fingerprint()
    monkeypatch.setenv("OWN_DATA", "8")
    with pytest.raises(DataError, match=r"must be the same on all machines, but on this one x is float64 \(8,\)"):
        space.gathered(None, None, wanted, str(path))
    monkeypatch.setenv("OWN_DATA", "many")
    with pytest.raises(DataError, match="on this machine the data of .own. could not be loaded: ValueError"):
        space.gathered(None, None, wanted, str(path))


@pytest.mark.medium
def test_modules_beside_the_file_of_a_space_travel(tmp_path, monkeypatch):
    import cloudpickle

    module = types.ModuleType("beside_it")
    module.__file__ = str(tmp_path / "beside_it.py")
    exec("def helped(): return 7", module.__dict__)
    module.helped.__module__ = "beside_it"
    monkeypatch.setitem(__import__("sys").modules, "beside_it", module)
    with space.code_by_value(str(tmp_path / "space.py")):
        assert "beside_it" in cloudpickle.list_registry_pickle_by_value()
        pickled = cloudpickle.dumps(module.helped)
    assert "beside_it" not in cloudpickle.list_registry_pickle_by_value()
    monkeypatch.delitem(__import__("sys").modules, "beside_it")
    assert cloudpickle.loads(pickled)() == 7


# What a worker process finds -------------------------------------------------------------------------------------


def test_what_dask_sets_of_its_own_is_not_taken_for_the_users(monkeypatch):
    preset = {"OMP_NUM_THREADS": 1, "MKL_NUM_THREADS": 1, "MALLOC_TRIM_THRESHOLD_": 65536}
    for name, value in {**preset, "MKL_NUM_THREADS": 3}.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.setenv("TF_MINE", "there")
    with dask.config.set({"distributed.nanny.pre-spawn-environ": preset}):
        found = agent._variables({"TF_MINE": "the driver's", "KERAS_BACKEND": "jax"})
    assert "OMP_NUM_THREADS" not in found and found["MKL_NUM_THREADS"] == "3"
    assert (found["TF_MINE"], found["KERAS_BACKEND"]) == ("the driver's", "jax")


# What is printed ------------------------------------------------------------------------------------------------


def test_a_disk_that_is_full_ends_no_training(tmp_path, capsys):
    (tmp_path / "file").touch()
    with output.kept(str(tmp_path / "file" / "no-folder.txt"), "trial 1"):
        print("seen all the same")
    assert "seen all the same" in capsys.readouterr().out
