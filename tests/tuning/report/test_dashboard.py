"""optuna-dashboard over studies: names, values, what changes; and nothing can be written."""

import json
import shutil
import sys
import urllib.error
import urllib.request

import pytest

from tests.conftest import ROOT
from tests.tuning.report.test_live import add_trial
from tuning.errors import OptionError
from tuning.study import Study, find_studies

pytest.importorskip("optuna_dashboard")

GOLDEN = ROOT / "tests" / "golden" / "studies"


@pytest.fixture
def shown(tmp_path):
    """Two studies in a folder, and the dashboard over it."""
    from tuning.report.dashboard import Dashboard

    for golden in ("random-finished", "objectives"):
        shutil.copytree(GOLDEN / golden, tmp_path / golden)
    with Dashboard(lambda: find_studies(tmp_path)) as running:
        yield tmp_path, running.url


def answer(url, method="GET", host=None):
    """Return the status and what was answered."""
    request = urllib.request.Request(url, method=method, headers={} if host is None else {"Host": host})
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60) as found:
            return found.status, found.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def of_study(url, number):
    return json.loads(answer(f"{url}api/studies/{number}?after=0")[1])


@pytest.mark.medium
def test_metrics_have_names_choices_values_and_what_is_new_appears(shown):
    logs, url = shown
    listed = json.loads(answer(f"{url}api/studies")[1])["study_summaries"]
    names = {study["study_name"]: study["study_id"] for study in listed}
    assert set(names) == {"random-finished", "objectives"}
    study, found = Study(logs / "objectives"), of_study(url, names["objectives"])
    assert found["objective_names"] == [o.name for o in study.definition.objectives]
    assert [t["number"] for t in found["trials"]] == [t.number for t in study.trials]
    one = Study(logs / "random-finished")
    params = of_study(url, names["random-finished"])["trials"][one.best.number]["params"]
    assert {p["name"]: p["param_external_value"] for p in params}["k"] == one.best.values["k"]
    shutil.copytree(GOLDEN / "random-finished", logs / "later")
    assert len(json.loads(answer(f"{url}api/studies")[1])["study_summaries"]) == 3
    number = next(s["study_id"] for s in json.loads(answer(f"{url}api/studies")[1])["study_summaries"]
                  if s["study_name"] == "later")  # fmt: skip
    add_trial(logs / "later")
    assert len(of_study(url, number)["trials"]) == len(one.trials) + 1


@pytest.mark.medium
def test_it_only_looks_and_answers_to_this_machine_only(shown):
    logs, url = shown
    answer(f"{url}api/studies")
    assert answer(f"{url}api/studies/0", "DELETE")[0] == 405 and len(find_studies(logs)) == 2
    assert answer(f"{url}api/studies", host="elsewhere.example")[0] == 403
    assert answer(f"{url}api/studies/7?after=0")[0] == 404


def test_without_the_package_it_says_what_to_install(monkeypatch):
    from tuning.report.dashboard import Dashboard

    monkeypatch.setitem(sys.modules, "optuna_dashboard", None)
    with pytest.raises(OptionError, match=r"pip install 'keras-tuning\[dashboard\]'"):
        Dashboard(list)


def test_a_folder_without_studies_is_said(tune_here):
    assert "must be a folder with studies" in tune_here("dashboard").stderr
