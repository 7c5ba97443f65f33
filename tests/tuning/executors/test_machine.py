"""What workers are given of the machine."""

import os

import joblib
import pytest

from tuning.executors import machine


def test_each_worker_has_its_share_of_threads(monkeypatch):
    monkeypatch.setattr(machine, "n_cores", lambda: 8)
    names = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")
    for name in names:
        monkeypatch.delenv(name, raising=False)
    assert {machine.environment(0, 3)[name] for name in names} == {"2"}
    assert {machine.environment(0, 100)[name] for name in names} == {"1"}
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    assert machine.environment(0, 3)["OMP_NUM_THREADS"] == "5", "what the user has set stays"


@pytest.mark.medium
def test_a_process_of_joblib_s_has_its_share_of_the_cores(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.delenv("TF_NUM_INTRAOP_THREADS", raising=False)
    machine.take_share()
    assert machine.share_of_joblib() is None and machine.shared(3) == 3 and "TF_NUM_INTRAOP_THREADS" not in os.environ
    found = joblib.Parallel(n_jobs=2)(joblib.delayed(share_of_one)() for _ in range(2))
    assert found == [(1, 1, 1, "1")] * 2


def share_of_one():
    machine.take_share()
    return machine.share_of_joblib(), machine.n_cores(), machine.shared(2), os.environ["TF_NUM_INTRAOP_THREADS"]


def test_gpus_are_shared_out_where_there_are_several(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5,-1")
    assert machine.visible_gpus() == ["4", "5"]
    shown = [machine.environment(slot, 3, machine.visible_gpus())["CUDA_VISIBLE_DEVICES"] for slot in range(3)]
    assert shown == ["4", "5", "4"]
    assert machine.environment(0, 2, ["4"])["CUDA_VISIBLE_DEVICES"] == "4,5,-1", "one GPU is shared by all"
    assert machine.environment(0, 2)["TF_FORCE_GPU_ALLOW_GROWTH"] == "true"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert machine.visible_gpus() == []


def test_gpus_are_counted_without_tensorflow(monkeypatch, tmp_path):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 'GPU 0: one'; echo 'GPU 1: two'; echo '  MIG 1g'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert machine.visible_gpus() == ["0", "1"]
    program.write_text("#!/bin/sh\nexit 9\n")
    assert machine.visible_gpus() == []


def test_workers_hold_no_credentials(monkeypatch):
    monkeypatch.setenv("TUNE_STORAGE", "postgresql://u:p@h/d")
    assert "TUNE_STORAGE" not in machine.environment(0, 2)


@pytest.mark.parametrize(
    ("gpus", "cores", "memory", "trials", "workers"),
    [
        ([], 8, 100e9, None, 8),
        ([], 8, 3e9, None, 2),
        ([], 8, 1e8, None, 1),
        ([], 8, 100e9, 3, 3),
        (["0", "1"], 16, 100e9, None, 2),
        (["0", "1"], 16, 100e9, 1, 1),
    ],
)
def test_the_default_number_of_workers(monkeypatch, gpus, cores, memory, trials, workers):
    monkeypatch.setattr(machine, "visible_gpus", lambda: gpus)
    monkeypatch.setattr(machine, "n_cores", lambda: cores)
    monkeypatch.setattr(machine, "free_bytes", lambda: int(memory))
    assert machine.default_workers(trials) == workers


def test_a_container_has_what_it_is_allowed(monkeypatch, tmp_path):
    assert machine.n_cores() <= len(os.sched_getaffinity(0))
    free = machine.free_bytes()
    monkeypatch.setattr(machine, "_CGROUP", tmp_path)
    assert machine.n_cores() == len(os.sched_getaffinity(0))
    (tmp_path / "cpu.max").write_text("50000 100000\n")
    (tmp_path / "memory.max").write_text("3000\n")
    (tmp_path / "memory.current").write_text("2000\n")
    (tmp_path / "memory.stat").write_text("anon 1500\ninactive_file 500\n")
    assert machine.n_cores() == 1
    assert machine.free_bytes() == 1500 < free
    (tmp_path / "memory.max").write_text("max\n")
    assert machine.free_bytes() > 1500


@pytest.mark.parametrize(
    ("controller", "line", "limit", "used", "cached"),
    [
        ("", "0::/jobs/mine", "memory.max", "memory.current", "inactive_file"),
        ("memory", "4:memory:/jobs/mine", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ],
)
def test_the_memory_of_a_job_is_that_of_its_own_group_and_of_all_above(
    monkeypatch, tmp_path, controller, line, limit, used, cached
):
    own = tmp_path / controller / "jobs" / "mine"
    own.mkdir(parents=True)
    (tmp_path / "self").write_text(f"9:name=systemd:/\n{line}\n")
    monkeypatch.setattr(machine, "_CGROUP", tmp_path)
    monkeypatch.setattr(machine, "_OWN_CGROUPS", tmp_path / "self")
    free = machine.free_bytes()

    def write(folder, most):
        (folder / limit).write_text(most)
        (folder / used).write_text("2000")
        (folder / "memory.stat").write_text(f"{cached} 500\n")

    write(own, "3000")
    assert machine.free_bytes() == 1500 < free
    write(own.parent, "2700")
    assert machine.free_bytes() == 1200
    write(own, "max")
    assert machine.free_bytes() == 1200
    (tmp_path / "self").write_text(line.replace("/jobs", "/../jobs"))
    assert machine.free_bytes() > 1500, "a group that is not to be seen from here"


@pytest.mark.parametrize(
    ("controller", "line", "files"),
    [
        ("", "0::/jobs/mine", ["cpu.max"]),
        ("cpu", "4:cpu,cpuacct:/jobs/mine", ["cpu.cfs_quota_us", "cpu.cfs_period_us"]),
    ],
)
def test_the_cores_of_a_job_are_those_of_its_own_group_and_of_all_above(monkeypatch, tmp_path, controller, line, files):
    own = tmp_path / controller / "jobs" / "mine"
    own.mkdir(parents=True)
    (tmp_path / "self").write_text(f"{line}\n")
    monkeypatch.setattr(machine, "_CGROUP", tmp_path)
    monkeypatch.setattr(machine, "_OWN_CGROUPS", tmp_path / "self")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)))

    def write(folder, quota):
        for name, text in zip(files, [f"{quota} 100000"] if len(files) == 1 else [quota, "100000"], strict=True):
            (folder / name).write_text(f"{text}\n")

    assert machine.n_cores() == 64
    write(own, "750000")
    assert machine.n_cores() == 8
    write(own.parent, "300000")
    assert machine.n_cores() == 3
    write(own, "-1" if controller else "max")
    assert machine.n_cores() == 3
    write(own.parent, "0")
    assert machine.n_cores() == 64
