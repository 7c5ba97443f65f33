"""What a person sees: TensorBoard's pages in a real browser."""

import pytest

from tests import browser as browsers
from tests.browser import CLICK_LOG_AXES, LINES, ROWS, Browser, open_view
from tests.tensorboard_search import MadeUpSearch, play_everything
from tuning.records.trial import State
from tuning.tensorboard import TensorBoardObserver, serve

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(
        browsers.program() is None, reason=f"no browser: none of {', '.join(browsers.PROGRAMS)} is installed"
    ),
]
FIRST = ["learning_rate (log)", "n_layers", "normalize", "optimizer", "units"]
METRICS = ["objective", "val_accuracy (last)", "epochs", "best_epoch", "seconds"]


@pytest.fixture(scope="module")
def search(tmp_path_factory):
    search = MadeUpSearch(TensorBoardObserver(tmp_path_factory.mktemp("made_up") / "tensorboard"))
    play_everything(search)
    return search


@pytest.fixture(scope="module")
def url(search, tmp_path_factory):
    with serve([search.observer._layout.root.parent]) as board:
        yield board.url


@pytest.fixture(scope="module")
def browser(url):
    with Browser() as browser:
        yield browser


@pytest.fixture(autouse=True)
def no_trouble(browser):
    yield
    assert browser.exceptions == []
    assert browser.failures == []


def n_drawn(search):
    return sum(t.state in (State.COMPLETED, State.PRUNED) for t in search.trials.values())


def test_the_table_lists_every_trial(browser, url, search):
    open_view(browser, url)
    assert browser.wait(ROWS, lambda n: n == len(search.trials)) == len(search.trials)
    cells = "deep('vaadin-grid')[0].innerText.split('\\n')"
    text = browser.wait(cells, lambda t: "trial_0013@made_up" in t)
    assert text[:12] == ["Trial ID", "Show Metrics", *FIRST, *METRICS]
    assert [cell for cell in text if cell.startswith("trial_")] == [f"trial_{n:04d}@made_up" for n in range(14)]
    assert "NaN" not in " ".join(text)


def test_a_ticked_row_shows_its_curves(browser):
    browser.run("deep('vaadin-grid')[0].querySelectorAll('paper-checkbox')[1].click()")
    cards = "deep('tf-scalar-card').filter(shown).length"
    assert browser.wait(cards, lambda n: n == len(METRICS)) == len(METRICS)


def test_parallel_coordinates_has_a_line_for_each_finished_trial(browser, search):
    browser.run("deep('paper-tab[view-id=parallel-coords-view]')[0].click()")
    lines = browser.wait(LINES, lambda lines: len(lines) == n_drawn(search))
    assert len(lines) == n_drawn(search) == 10
    assert not [line for line in lines if "NaN" in line]
    assert browser.run(CLICK_LOG_AXES) == 1
    moved = browser.wait(LINES, lambda now: now != lines)
    assert len(moved) == len(lines)
    assert moved != lines
    assert not [line for line in moved if "NaN" in line]


def test_the_scatter_plots_have_all_points(browser, search):
    browser.run("deep('paper-tab[view-id=scatter-plot-matrix-view]')[0].click()")
    # A row of cells for each metric, a cell for each column, a point where a trial has both.
    points = 0
    for trial in search.trials.values():
        if trial.state in (State.COMPLETED, State.PRUNED):
            n_metrics = 5
        elif trial.state is State.RUNNING:
            n_metrics = 1  # the best score so far
        else:
            n_metrics = 3 if trial.epochs else 2  # no objective, no best epoch; no curve where no epoch ended
        points += n_metrics * (len(FIRST) + n_metrics)
    drawn = "deep('.data-marker').filter(shown).length"
    assert browser.wait(drawn, lambda n: n == points) == points


def test_scalars_show_the_curves_of_one_trial(browser, url):
    browser.open(f"{url}#scalars&regexInput=trial_0010")
    ticked = "deep('tf-multi-checkbox').map(b => b.outSelected)[0]"
    assert browser.wait(ticked, len) == ["trial_0010/train", "trial_0010/validation", "trial_0010"]
    assert browser.wait("deep('tf-scalar-card').length", bool) > 0


def test_pictures_for_the_readme(url, tmp_path):
    browsers.screenshot(url, tmp_path / "table.png", width=1200, height=700)
    assert (tmp_path / "table.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert (tmp_path / "table.png").stat().st_size > 30_000
