"""The pages in a browser: drawn at any width, sorted and filtered, and asking for nothing."""

import pytest

from tests import browser as browsers
from tests.tuning.report.studies import NASTY, divided, dressed, hostile, of_two_objectives, stored, usual
from tests.tuning.report.test_live import add_trial
from tuning.report import write_comparison, write_report
from tuning.report.live import Live

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.skipif(browsers.program() is None, reason="no Chromium"),
]

WIDTHS = (1280, 700, 390, 1280)

FAULTS = """
(() => {
  const found = [], box = e => e.getBoundingClientRect(), words = e => e.textContent.trim().slice(0, 30);
  const meet = (a, b) => a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1;
  const pairs = (items, what) => {
    for (let i = 0; i < items.length; i++)
      for (let j = i + 1; j < items.length; j++)
        if (!items[i].contains(items[j]) && !items[j].contains(items[i]) && meet(box(items[i]), box(items[j])))
          found.push(`${what} overlap: ${words(items[i])} / ${words(items[j])}`);
  };
  pairs([...document.querySelectorAll('header, section, .tile')], 'sections');
  const seen = e => shown(e) && (!e.parentElement.closest('details:not([open])') || e.tagName === 'SUMMARY');
  pairs([...document.querySelectorAll('figure, .wide, p, pre, summary, h2, .tools')].filter(seen), 'blocks');
  const wide = document.documentElement.scrollWidth;
  if (wide > innerWidth) found.push(`the page is ${wide} wide`);
  for (const plot of [...document.querySelectorAll('.plot')].filter(seen)) {
    const name = plot.closest('figure').dataset.figure, svg = plot.querySelector('svg');
    if (!svg) { found.push(`${name} is not drawn`); continue; }
    if (box(svg).height < 60) found.push(`${name} is ${box(svg).height} high`);
    if (Math.abs(box(svg).width - plot.clientWidth) > 2) found.push(`${name} has not the width of its place`);
    if (!svg.querySelector('.point, .line, .bar, .thread, .span, .cell')) found.push(`${name} is empty`);
    if (box(svg).bottom > box(plot).bottom + 1) found.push(`${name} leaves its place`);
    pairs([...svg.querySelectorAll('text.tick')].filter(t => t.textContent), `marks of ${name}`);
    pairs([...svg.querySelectorAll('text.key')], `words of ${name}`);
    if (/NaN|undefined/.test(svg.outerHTML)) found.push(`${name} has NaN`);
  }
  return found;
})()
"""


@pytest.fixture(scope="module")
def browser():
    with browsers.Browser(1280, 1000) as running:
        yield running


@pytest.fixture
def opened(browser):
    """Open a page; whatever the test does there must ask for nothing and raise nothing."""
    addresses = []

    def open_(path):
        for found in (browser.exceptions, browser.errors, browser.requests):
            found.clear()
        addresses[:] = [path.as_uri()]
        browser.open(path.as_uri())
        assert browser.wait("document.querySelectorAll('.plot svg').length > 1")
        return browser

    yield open_
    assert browser.exceptions == [] and browser.errors == []
    assert set(browser.requests) <= {*addresses, "about:blank"}


def is_right_at_every_width(browser):
    for width in WIDTHS:
        browser.resize(width, 1000)
        assert browser.wait(FAULTS, lambda faults: not faults, 5.0) == [], width


@pytest.mark.parametrize("kind", [usual, divided, of_two_objectives, hostile])
def test_a_report_is_drawn_at_every_width(opened, made, tmp_path, kind):
    browser = opened(write_report(kind(made), tmp_path / "report.html"))
    is_right_at_every_width(browser)
    assert browser.run("window.hacked") is None


def test_a_comparison_is_drawn_at_every_width(opened, made, tmp_path):
    studies = [dressed(made, usual(made).trials, seed=seed) for seed in (1, 2, 3)]
    studies.append(dressed(made, usual(made, 9).trials, engine="optuna", options={NASTY: NASTY}))
    for i, study in enumerate(studies):
        study.path = made.path.parent / f"study-{i}"
    browser = opened(write_comparison(studies, tmp_path / "compare.html"))
    is_right_at_every_width(browser)
    assert browser.run("document.querySelectorAll('.plot .band').length") == 2
    assert browser.run("window.hacked") is None


def test_the_table_is_sorted_and_filtered_and_lines_follow(opened, made, tmp_path):
    browser = opened(write_report(usual(made), tmp_path / "report.html"))
    rows = "[...document.querySelectorAll('#trials tbody tr')].filter(r => !r.hidden)"
    numbers = f"{rows}.map(r => Number(r.cells[0].textContent))"
    first = browser.run(numbers)
    browser.run("document.querySelector('#trials th button').click()")
    assert browser.run(numbers) == sorted(first) != first
    browser.run("document.querySelector('#trials th button').click()")
    assert browser.run(numbers) == sorted(first, reverse=True)
    typed = "(box => { box.value = %r; box.dispatchEvent(new Event('input')); })(document.getElementById('filter'))"
    browser.run(typed % "optimizer=adam units<12")
    assert (
        browser.run(numbers) == [2, 0] and browser.run("document.getElementById('matching').textContent") == "2 of 27"
    )
    assert browser.run("document.querySelectorAll('.thread:not(.out)').length") == 2
    browser.run(typed % "")
    assert len(browser.run(numbers)) == 27 and browser.run("document.querySelectorAll('.out').length") == 0


def test_a_point_says_what_it_is_by_pointer_and_by_key(opened, made, tmp_path):
    browser = opened(write_report(usual(made), tmp_path / "report.html"))
    browser.run(
        "(plot => { plot.firstElementChild.focus(); for (let i = 0; i < 3; i++) "
        "plot.dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowRight'})); })"
        "(document.querySelector('[data-figure=history] .plot'))"
    )
    assert browser.run("document.getElementById('spoken').textContent").startswith(
        "trial 2, completed: val_loss 2.3333\n"
    )
    assert browser.run("document.getElementById('tip').hidden") is False
    assert browser.run("document.querySelectorAll('tr.hot').length") == 1


def test_a_picture_is_a_file_of_its_own(opened, made, tmp_path):
    """What is handed over as SVG stands without the page's style, and as PNG in the picture's size."""
    browser = opened(write_report(usual(made), tmp_path / "report.html"))
    browser.run(
        "window.saved = []; window.blobs = []; const make = URL.createObjectURL; "
        "URL.createObjectURL = blob => { blobs.push(blob); return make(blob); }; "
        "HTMLAnchorElement.prototype.click = function () { saved.push(this.download); }; 1"
    )
    browser.run("document.querySelectorAll('[data-figure=history] button').forEach(b => b.click())")
    saved = browser.wait("saved", lambda names: len(names) == 2)
    assert sorted(name.rpartition("-")[2] for name in saved) == ["history.png", "history.svg"]
    text = browser.run("blobs[0].text()")
    assert text.startswith("<svg") and 'xmlns="http://www.w3.org/2000/svg"' in text and "fill:rgb" in text
    assert browser.wait("blobs.map(b => b.type)", lambda t: len(t) == 3)[-1] == "image/png"


def test_a_live_page_follows_the_search_and_keeps_what_the_reader_did(browser, tmp_path):
    study = stored(tmp_path)
    for found in (browser.exceptions, browser.errors, browser.requests, browser.failures):
        found.clear()
    browser.resize(1000, 800)
    with Live(study.path) as live:
        browser.open(live.url)
        assert browser.wait("document.querySelectorAll('.plot svg').length > 2")
        browser.run(
            "document.querySelector('#trials th button').click(); const box = document.getElementById('filter'); "
            "box.value = 'completed'; box.dispatchEvent(new Event('input')); scrollTo(0, 300); 1"
        )
        add_trial(study.path)
        text = browser.wait("document.querySelector('.findings').textContent", lambda said: "after 9" in said, 30)
        assert "best val_loss 0.0010 (trial 8) after 9 trials" in text.lower()
        numbers = "[...document.querySelectorAll('#trials tbody tr')].map(r => Number(r.cells[0].textContent))"
        assert browser.run(numbers) == list(range(9)), "sorted as it was"
        assert browser.run("document.getElementById('filter').value") == "completed" and browser.run("scrollY") == 300
        points = "document.querySelectorAll('[data-figure=history] .point[data-t]').length"
        assert browser.run(points) == 9
        assert browser.exceptions == [] and browser.errors == [] and browser.failures == []
        assert all(url.startswith(live.url) or url == "about:blank" for url in browser.requests)
