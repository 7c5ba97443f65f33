"""Trials in Weights & Biases's offline mode: what the files hold that `wandb sync` would send."""

import json
import sys

import pytest

import tuning
from tests.conftest import SPACES
from tuning.errors import OptionError

CURVE = str(SPACES / "curve.py")


BLOCK, HEAD = 32_768, 7
"""Bytes of a block of a `.wandb` file, and of what the file and each piece in it begin with."""


def records_of(path):
    """Return what a file of W&B's holds: pieces of records, each with (checksum, length, kind), none across blocks."""
    from wandb.proto.wandb_internal_pb2 import Record

    data, at, whole, found = path.read_bytes(), HEAD, b"", []
    assert data.startswith(b":W&B")
    while at + HEAD <= len(data):
        if BLOCK - at % BLOCK < HEAD:
            at += BLOCK - at % BLOCK
            continue
        length, kind = int.from_bytes(data[at + 4 : at + 6], "little"), data[at + 6]
        whole += data[at + HEAD : at + HEAD + length]
        at += HEAD + length
        if kind in (1, 4):  # whole, or the last piece
            found.append(Record.FromString(whole))
            whole = b""
    return found


def runs_of(folder):
    """Return (run, history, summary, exit code) of each offline run, by its name."""
    found = {}
    for path in sorted(folder.glob("wandb/offline-run-*/*.wandb")):
        history, summary, run, code = [], {}, None, None
        for record in records_of(path):
            kind = record.WhichOneof("record_type")
            if kind == "run" and record.run.display_name:
                run = record.run
            elif kind == "history":
                history.append(read(record.history.item))
            elif kind == "summary":
                summary |= read(record.summary.update)
            elif kind == "exit":
                code = record.exit.exit_code
        found[run.display_name] = run, history, summary, code
    return found


def read(items):
    return {item.key or item.nested_key[0]: json.loads(item.value_json) for item in items}


@pytest.mark.medium
def test_offline_files_hold_each_trial_as_it_is_in_the_study(tmp_path, monkeypatch):
    monkeypatch.setenv("CURVE_FAILS", "y")
    study = tuning.search(
        CURVE, engine="random", trials=3, epochs=3, seed=0, logs=tmp_path, study="s", verbose=0,
        observers=[tuning.observers.WandB("searches", mode="offline", dir=tmp_path)],
    )  # fmt: skip
    assert {trial.state.value for trial in study.trials} == {"COMPLETED", "FAILED"}
    runs = runs_of(tmp_path)
    assert sorted(runs) == [f"trial {trial.number}" for trial in study.trials]
    for trial in study.trials:
        run, history, summary, code = runs[f"trial {trial.number}"]
        assert (run.project, run.run_group) == ("searches", "s")
        assert [(h["_step"], h["val_loss"]) for h in history if "val_loss" in h] == list(
            enumerate(trial.curve.values("val_loss"))
        )
        assert summary["trial_state"] == trial.state.value.lower() and summary.get("objective") == trial.score
        assert code == (1 if trial.state is tuning.State.FAILED else 0)


def test_without_the_package_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(OptionError, match=r"must have the package wandb .* pip install 'keras-tuning\[wandb\]'"):
        tuning.observers.WandB()


def test_a_mode_that_is_none_is_refused():
    with pytest.raises(OptionError, match="`mode` must be online, offline, disabled or None, but got 'of'"):
        tuning.observers.WandB(mode="of")
