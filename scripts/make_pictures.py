"""Make the pictures that the documents show: of the report, the comparison, a notebook, and TensorBoard after the demo.

    python scripts/make_pictures.py                   into docs/images
    python scripts/make_pictures.py --out FOLDER --logs logs
    python scripts/make_pictures.py --only notebook.png hparams.png

Searches scikit-learn's digits with `optuna`, and with `random` under three seeds, which takes some minutes; where the
studies exist already it only draws. Runs `docs/notebooks/first_search.ipynb`, and `tune demo`. Needs a Chromium. What
is drawn is the real page of a real study, at the sizes of `PICTURES`.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import tuning  # noqa: E402
from tests.browser import Browser, screenshot, screenshot_of_parallel_coordinates  # noqa: E402
from tuning.report import write_comparison, write_report  # noqa: E402
from tuning.tensorboard import serve  # noqa: E402

SEARCHES = {
    "digits-optuna": {"engine": "optuna", "seed": 1, "trials": 27},
    "digits-random-1": {"engine": "random", "seed": 1, "trials": 5},
    "digits-random-2": {"engine": "random", "seed": 2, "trials": 5},
    "digits-random-3": {"engine": "random", "seed": 3, "trials": 5},
}
"""Of `tuning.search`, by the study's name."""

EPOCHS = 8

PICTURES = {
    "report.png": ("report", 1280, 1560, False),
    "report_dark.png": ("report", 1280, 900, True),
    "report_phone.png": ("report", 390, 1400, False),
    "compare.png": ("compare", 1280, 1040, False),
    "notebook.png": ("notebook", 1000, 1655, False),
}
"""The page, the width and height of the window, and whether it is dark, by the file's name."""


NOTEBOOK = ROOT / "docs" / "notebooks" / "first_search.ipynb"


def notebook_page(folder: Path) -> Path:
    """Run the notebook in a folder; return it as a page that has all that it needs.

    What TensorFlow says to standard error about the machine is left out.
    """
    import nbclient
    import nbconvert
    import nbformat

    os.environ |= {"PLOTLY_RENDERER": "notebook", "PYTHONPATH": str(ROOT)}
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbclient.NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(folder)}}).execute()
    for cell in (cell for cell in notebook.cells if cell.cell_type == "code"):
        cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
    exporter = nbconvert.HTMLExporter(mathjax_url="", require_js_url="", jquery_url="")
    page = folder / "notebook.html"
    page.write_text(exporter.from_notebook_node(notebook)[0], encoding="utf-8")
    return page


OF_THE_DEMO = ("hparams.png", "parallel_coordinates.png")
DEMO = "demo-fashion_mnist-optuna"
"""The pictures, and the study of `tune demo` that they show."""


def pictures_of_the_demo(logs: Path, out: Path) -> None:
    """Run the demo, unless it was, and draw what its README shows: TensorBoard on its study."""
    subprocess.run([sys.executable, "-m", "tuning.cli", "demo", "--logs", logs], cwd=ROOT, check=True)
    with serve([logs / DEMO]) as board:
        screenshot(board.url, out / OF_THE_DEMO[0], height=720)
        screenshot_of_parallel_coordinates(board.url, out / OF_THE_DEMO[1])
    print(*(out / name for name in OF_THE_DEMO), sep="\n")


def searched(logs: Path) -> list[tuning.Study]:
    """Return the studies that the report and the comparison show."""
    return [
        tuning.search("digits", study=name, epochs=EPOCHS, logs=logs, workers=1, **arguments)
        for name, arguments in SEARCHES.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images", help="folder of the pictures")
    parser.add_argument("--logs", type=Path, default=ROOT / "logs", help="folder of the studies")
    every = [*PICTURES, *OF_THE_DEMO]
    parser.add_argument("--only", nargs="+", choices=every, default=every, help="pictures to make, by name")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    if set(given.only) & set(OF_THE_DEMO):
        pictures_of_the_demo(given.logs, given.out)
    chosen = {name: PICTURES[name] for name in given.only if name in PICTURES}
    shown = {page for page, *_ in chosen.values()}
    with tempfile.TemporaryDirectory() as folder, Browser() as browser:
        studies = searched(given.logs) if shown & {"report", "compare"} else []
        pages = {
            "report": lambda: write_report(studies[0], Path(folder) / "report.html"),
            "compare": lambda: write_comparison(studies, Path(folder) / "compare.html"),
            "notebook": lambda: notebook_page(Path(folder)),
        }
        made = {page: pages[page]() for page in shown}
        for name, (page, width, height, is_dark) in chosen.items():
            browser.darken(is_dark)
            browser.resize(width, height)
            browser.open(made[page].as_uri())
            browser.wait("document.querySelectorAll('svg').length")
            time.sleep(1.0)  # it is laid out once more when its bar has appeared
            browser.save(given.out / name)
            print(given.out / name)


if __name__ == "__main__":
    main()
