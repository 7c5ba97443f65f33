"""The report while a search runs: served to this machine only, and brought up to date in place."""

import http.client
import signal
import subprocess
import sys
from dataclasses import replace

import pytest

from tests.conftest import ROOT
from tests.tuning.report.studies import stored
from tuning.errors import OptionError
from tuning.records.trial import Curve, Training
from tuning.report.live import FIRST_PORT, Live
from tuning.storage.store import Store


def asked(live, path="/", **heads):
    """Return status, body and tag of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", int(live.url.split(":")[2].strip("/")), timeout=20)
    connection.request("GET", path, headers=heads)
    answer = connection.getresponse()
    found = answer.status, answer.read().decode(), answer.headers["ETag"]
    connection.close()
    return found


@pytest.fixture
def study(tmp_path):
    return stored(tmp_path)


def add_trial(path, score=0.001):
    """Add a trial to a study, as a search does."""
    store = Store.of(path, exclusive=True)
    definition, (trials, state) = store.definition(), store.read()
    training = Training(Curve(({"val_loss": score},)), score, 0, 1.0)
    trial = replace(trials[-1], number=len(trials), trainings=(training,))
    store.begin(trial, state, definition.hyperparameters)
    store.close_trial(trial)
    store.close()


@pytest.mark.slow  # what writes a study is imported
def test_the_page_is_made_again_only_when_the_study_changes(study):
    with Live(study.path) as live:
        status, first, tag = asked(live)
        assert status == 200 and 'data-live="3"' in first and "connect-src &#39;self&#39;" in first
        assert asked(live, **{"If-None-Match": tag}) == (304, "", tag)
        add_trial(study.path)
        status, second, other = asked(live, **{"If-None-Match": tag})
        assert status == 200 and other != tag and "after 9 trials" in second and "after 8 trials" in first


def test_nobody_else_is_answered(study):
    """A page from elsewhere whose name leads here asks with that name."""
    with Live(study.path) as live:
        assert live.url.startswith("http://127.0.0.1:")
        assert asked(live, Host="evil.example")[0] == 403
        assert asked(live, Host=f"evil.example:{FIRST_PORT}")[0] == 403
        assert asked(live, "/trials.db")[0] == asked(live, "/../trials.db")[0] == 404


@pytest.mark.medium
def test_a_study_that_is_gone_is_said_so_and_the_server_goes_on(study):
    with Live(study.path) as live:
        (study.path / "trials.db").rename(study.path / "away.db")
        status, text, _ = asked(live)
        assert status == 503 and "trials.db" in text
        (study.path / "away.db").rename(study.path / "trials.db")
        assert asked(live)[0] == 200


@pytest.mark.medium
def test_a_port_that_is_taken_is_refused_and_another_found(study):
    with Live(study.path) as live, Live(study.path) as other:
        assert live.url != other.url
        with pytest.raises(OptionError, match="`port` must be free"):
            Live(study.path, port=int(live.url.split(":")[2].strip("/")))


def test_what_does_not_go_with_watch_is_refused(tune_here, study):
    assert "`--watch` must stand without" in tune_here("report", study.path, "--watch", "--out", "r.html").stderr
    assert "`--port` must stand with" in tune_here("report", study.path, "--port", "6200").stderr


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_serves_until_it_is_interrupted(study, number):
    process = subprocess.Popen(
        [sys.executable, "-m", "tuning.cli", "report", str(study.path), "--watch"],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        line = process.stdout.readline()
        assert "http://127.0.0.1:" in line, process.stderr.read()
    finally:
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0 and err == "" and out == ""
