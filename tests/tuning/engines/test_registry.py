"""Engines describe themselves: the list, their options, what is printed and written about them."""

import ast
import json
import re

import pytest
from typer.testing import CliRunner

from tests.conftest import ROOT, loaded_by
from tests.simulation import MIXED_SPACE, OBJECTIVE
from tuning.engines.grid.kind import SEARCHES
from tuning.engines.keras_tuner.kinds import hyperband_epochs
from tuning.engines.kind import EngineKind
from tuning.engines.options import more_than, name_or_object, number, one_of, whole, yes_or_no
from tuning.engines.optuna.kind import PRUNERS, SAMPLERS
from tuning.engines.registry import DEFAULT, ENGINES, engines_that, read_options
from tuning.errors import OptionError
from tuning.records.definition import Definition

LIBRARIES = ("keras_tuner", "optuna", "sklearn", "tensorflow", "keras")


def definition(engine, **options):
    return Definition("s", "s", None, tuple(MIXED_SPACE), OBJECTIVE, engine, read_options(engine, options), 0, 9)


def test_the_list_loads_no_library():
    assert loaded_by("import tuning.engines.registry", *LIBRARIES) == []


@pytest.mark.parametrize("kind", ENGINES.values(), ids=list(ENGINES))
def test_what_an_engine_says_of_itself_is_complete(kind):
    assert ENGINES[kind.name] is kind and kind.description and callable(kind.load())
    read = read_options(kind.name, {})
    assert read == {name: option.default for name, option in kind.options.items()}
    for name, option in kind.options.items():
        assert option.help and option.rule.startswith("be "), name
        assert option.default is None or option.read(option.default) == option.default, "a default must be legal"
        with pytest.raises((ValueError, TypeError)):
            option.read("no such value")


@pytest.mark.medium
def test_no_other_room_knows_an_engine_by_its_name():
    found = []
    for path in (ROOT / "tuning").rglob("*.py"):
        if "engines" not in path.relative_to(ROOT).parts:
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Compare):
                    sides = [node.left, *node.comparators]
                    found += [path.name for side in sides if isinstance(side, ast.Constant) and side.value in ENGINES]
    assert set(found) <= {"grids.py"}, "comparisons with the name of an engine"


def test_abilities_are_asked_of_the_engines():
    assert DEFAULT in ENGINES and engines_that("many_objectives") == ["optuna"]
    assert engines_that("own_results") == ["grid"] and engines_that("continues") == ["hyperband", "grid", "pbt"]


def test_all_mistakes_in_options_are_told_at_once():
    with pytest.raises(OptionError, match=r"2 things do not fit.*option of hyperband.*Did you mean 'factor'.*`factor`"):
        read_options("hyperband", {"factr": 2, "factor": 1})
    with pytest.raises(OptionError, match="not be given: this engine has none"):
        read_options("random", {"factor": 2})


@pytest.mark.parametrize(
    ("read", "legal", "illegal"),
    [
        (whole(2), [2, "3", 4.0], [1, 2.5, True, "x", float("inf"), None]),
        (number(0, 1), [0, "0.5", 1], [-0.1, 1.1, True, float("nan"), "x"]),
        (more_than(1), [1.5, "2"], [1, 0, float("inf"), True]),
        (yes_or_no, [True, False, 0, 1], ["true", 2, None]),
        (one_of("a", "b"), ["a", "b"], ["c", None]),
        (name_or_object(["a"], "keys"), ["a", {}, "instance of x.Y"], ["b", 1]),
    ],
)
def test_readers_take_what_fits_and_refuse_the_rest(read, legal, illegal):
    for value in legal:
        read(value)
    for value in illegal:
        with pytest.raises((ValueError, TypeError, OverflowError)):
            read(value)


def test_how_many_epochs_a_search_trains_and_what_is_said_of_it():
    assert ENGINES["random"].planned_epochs(definition("random"), 10) == 90
    assert ENGINES["random"].planned_epochs(definition("random"), None) is None
    assert ENGINES["hyperband"].planned_epochs(definition("hyperband", factor=3), None) == hyperband_epochs(9, 3, 1)
    assert ENGINES["hyperband"].planned_epochs(definition("hyperband"), 5) is None
    assert ENGINES["grid"].planned_epochs(definition("grid"), 4) == 36
    assert ENGINES["grid"].planned_epochs(definition("grid", search="halving-grid"), 4) is None
    bayesian = definition("bayesian", num_initial_points=5)
    assert "all 5 trials are random" in ENGINES["bayesian"].remark(bayesian, 5)
    assert [ENGINES[name].remark(definition(name), 50) for name in ("random", "hyperband", "bayesian", "grid")] == [
        ""
    ] * 4


# What is printed and written about them -----------------------------------------------------------------


def rows(page, heading):
    """Return the cells of each row of the table whose first column has that heading."""
    text = (ROOT / page).read_text(encoding="utf-8")
    table = re.search(rf"^\| {re.escape(heading)} \|.*\n\|[ -|]+\n((?:\|.*\n)+)", text, re.MULTILINE)
    assert table, f"{page} has no table of {heading}"
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table[1].splitlines()]


def test_the_table_of_engines_is_what_they_say_of_themselves():
    written = [tuple(row) for row in rows("README.md", "engine")]
    assert written == [
        (f"`{name}`", kind.description, ", ".join(f"`{option}`" for option in kind.options))
        for name, kind in ENGINES.items()
    ]


@pytest.mark.parametrize(
    ("page", "heading", "names"),
    [
        ("docs/optuna.md", "`-o sampler=`", SAMPLERS),
        ("docs/optuna.md", "`-o pruner=`", PRUNERS),
        ("docs/cross-validation.md", "`-o search=`", SEARCHES),
    ],
)
def test_tables_of_names_are_complete(page, heading, names):
    cells = " ".join(row[0] for row in rows(page, heading))
    assert set(re.findall(r"`([\w-]+)`", cells)) == set(names) - {"auto"} | ({"auto"} & {*re.findall(r"\w+", cells)})


def test_options_that_pages_mention_exist():
    known = {option for kind in ENGINES.values() for option in kind.options}
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for option in re.findall(r"-o '?(\w+)=", page.read_text(encoding="utf-8")):
            assert option in known, f"{page.name}: -o {option}"


def test_commands_list_what_engines_say_of_themselves():
    from tuning.cli import app, run, spaces  # noqa: F401  (each registers its commands)

    listed = json.loads(CliRunner().invoke(app.app, ["engines", "--json"]).stdout)
    assert [entry["name"] for entry in listed] == list(ENGINES)
    assert all(list(entry["options"]) == list(ENGINES[entry["name"]].options) for entry in listed)
    told = CliRunner().invoke(app.app, ["run", "--help"], env={"COLUMNS": "200", "TERM": "dumb"}).stdout
    assert f"{', '.join(ENGINES)}; see `tune engines`" in told and DEFAULT in told


def test_a_kind_is_frozen():
    with pytest.raises(AttributeError):
        ENGINES[DEFAULT].trials = 3
    assert isinstance(ENGINES[DEFAULT], EngineKind)
