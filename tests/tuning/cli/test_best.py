"""`tune best` and `tune list` of a study of several objectives, which has no best trial."""

import json

import pytest

from tests.tuning.report.studies import stored
from tuning.records.words import numbers_of


@pytest.fixture
def study(tmp_path):
    return stored(tmp_path / "logs", "objectives", "both")


def test_several_objectives_have_a_pareto_set_and_no_best(study, tune_here):
    front = [trial.number for trial in study.pareto]
    done = tune_here("best", "both")
    assert done.returncode == 0 and front
    assert f"Pareto set   {numbers_of(study.pareto)}" in done.stdout and "best:" not in done.stdout
    rows = [line.split()[0] for line in done.stdout.splitlines() if line.strip()[:1].isdigit()]
    assert rows == [str(number) for number in front]
    record = json.loads(tune_here("best", "both", "--json").stdout)
    assert [trial["number"] for trial in record["pareto"]] == front


def test_one_of_the_set_is_chosen_by_its_number(study, tune_here):
    number = study.pareto[-1].number
    assert f"trial {number} of both" in tune_here("best", "both", "--trial", number).stdout
    done = tune_here("best", "both", "--save", "m.keras")
    assert done.returncode == 1 and "must have one objective to have a best trial, but it has 2" in done.stderr


def test_the_list_says_pareto_set(study, tune_here):
    assert f"Pareto set of {len(study.pareto)}" in tune_here("list").stdout
