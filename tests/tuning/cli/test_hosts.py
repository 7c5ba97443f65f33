"""Where trials were trained is said by everything that shows a study: as JSON, in TensorBoard, in the report."""

import contextlib
import json
import sqlite3

import pytest
from tensorboard.plugins.hparams import plugin_data_pb2

import tuning
from tests.conftest import SPACES
from tuning.tensorboard.writer import read_events

CURVE = str(SPACES / "curve.py")


def trained_on(path, *workers):
    """Change where the trials of a study have been trained."""
    with contextlib.closing(sqlite3.connect(path / "trials.db")) as connection:
        rows = connection.execute("SELECT rowid, value_json FROM trial_user_attributes WHERE key = 'tuning'").fetchall()
        for (row, document), worker in zip(rows, workers, strict=True):
            record = json.loads(document)
            record["trainings"][0]["worker"] = worker
            changed = (json.dumps(record), row)
            connection.execute("UPDATE trial_user_attributes SET value_json = ? WHERE rowid = ?", changed)
        connection.commit()


def hosts_in(folder):
    """Return the column of hosts in each finished session of HPARAMS, by the trial's folder."""
    found = {}
    for file in folder.glob("trial_*/events*.tuning"):
        for event in read_events(file):
            for value in event.summary.value:
                content = plugin_data_pb2.HParamsPluginData.FromString(value.metadata.plugin_data.content)
                if content.HasField("session_start_info"):
                    found[file.parent.name] = content.session_start_info.hparams["host"].string_value
    return found


@pytest.mark.medium
def test_the_host_of_a_trial_is_in_json_in_hparams_and_in_the_report(tmp_path, tune_here):
    given = {"engine": "random", "epochs": 2, "seed": 0, "study": "s", "logs": tmp_path, "verbose": 0}
    study = tuning.search(CURVE, trials=2, **given)
    trained_on(study.path, "alpha:3", "beta:0")
    shown = json.loads(tune_here("show", "s", "--json", "--logs", tmp_path).stdout)
    assert [trial["workers"] for trial in shown["trials"]] == [["alpha:3"], ["beta:0"]]
    tuning.search(CURVE, trials=2, **given)  # makes TensorBoard's files agree with the study
    assert hosts_in(study.path / "tensorboard") == {"trial_0000": "alpha", "trial_0001": "beta"}
    assert tune_here("report", "s", "--logs", tmp_path).returncode == 0
    report = (study.path / "report.html").read_text(encoding="utf-8")
    assert "alpha:3" in report and "beta:0" in report
