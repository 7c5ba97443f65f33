"""A space by its name, module or file."""

import textwrap

import pytest

from tuning.errors import SpaceError
from tuning.space import HyperParameters, SearchSpace, bundled_spaces, resolve


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Return a function that writes a module into a folder that Python looks into, and gives its path."""
    monkeypatch.syspath_prepend(tmp_path)

    def written(text, name="a_space_of_a_test.py"):
        (tmp_path / name).write_text(textwrap.dedent(text))
        return str(tmp_path / name)

    return written


FUNCTION = '''
    """Words about it.

    More words.
    """
    def build_model(hp):
        return hp.Int("n", 1, 5)
'''


def test_bundled_spaces_are_described_without_importing_them():
    spaces = bundled_spaces()
    assert {"digits", "diabetes", "fashion_mnist"} <= set(spaces)
    assert all(space.description for space in spaces.values())


def test_a_function_in_a_file(write):
    space = resolve(write(FUNCTION))
    assert space.name == "a_space_of_a_test" and space.description == "Words about it." and space.imports == ()
    assert space.build(HyperParameters({"n": 4})) == 4


def test_a_module_by_its_name(write):
    write(FUNCTION, "a_module_of_a_test.py")
    assert resolve("a_module_of_a_test").name == "a_module_of_a_test"


def test_one_class_in_a_file(write):
    space = resolve(write("import tuning.space\nclass Mine(tuning.space.SearchSpace):\n    name = 'mine'\n"))
    assert isinstance(space, SearchSpace) and space.name == "mine"


def test_a_variable_comes_before_classes(write):
    text = """
        from tuning.space import SearchSpace
        class One(SearchSpace): pass
        class Two(SearchSpace): pass
    """
    assert resolve(write(text + "    space = One('first')\n")).name == "first"
    with pytest.raises(SpaceError, match="one SearchSpace or a variable `space`, but defines One, Two"):
        resolve(write(text))


def test_a_space_that_needs_keras_says_so(write):
    assert resolve(write(FUNCTION + "\n    def fit(hp):\n        import keras\n")).imports == ("keras",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1", "must define a SearchSpace subclass, a variable `space` or a function"),
        ("1 / 0", "could not be run: ZeroDivisionError: division by zero"),
        ("import sys; sys.exit(0)", "could not be run: SystemExit: 0"),
        ("def (", "could not be run: SyntaxError"),
        ("import a_module_that_nobody_has", "could not be run: ModuleNotFoundError"),
    ],
)
def test_a_file_that_is_no_space(write, text, message):
    with pytest.raises(SpaceError, match=message):
        resolve(write(text))


def test_names_that_are_none(tmp_path, write):
    with pytest.raises(SpaceError, match="must be an existing file"):
        resolve(str(tmp_path / "nowhere.py"))
    with pytest.raises(SpaceError, match="must be a bundled space, a module or a .py file, but got 'digit'.*'digits'"):
        resolve("digit")
    write("import a_module_that_nobody_has", "a_broken_one_of_a_test.py")
    with pytest.raises(SpaceError, match="'a_broken_one_of_a_test' could not be imported: No module named"):
        resolve("a_broken_one_of_a_test")
