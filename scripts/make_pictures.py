"""Make the pictures of the report and of the comparison that the documents show.

    python scripts/make_pictures.py                   into docs/images
    python scripts/make_pictures.py --out FOLDER --logs logs

Searches scikit-learn's digits with `optuna`, and with `random` under three seeds, which takes some minutes; where the
studies exist already it only draws. Needs a Chromium. What is drawn is the real page of a real study, at the sizes of
`PICTURES`.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import tuning  # noqa: E402
from tests.browser import Browser  # noqa: E402
from tuning.report import write_comparison, write_report  # noqa: E402

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
}
"""The page, the width and height of the window, and whether it is dark, by the file's name."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images", help="folder of the pictures")
    parser.add_argument("--logs", type=Path, default=ROOT / "logs", help="folder of the studies")
    given = parser.parse_args()
    studies = [
        tuning.search("digits", study=name, epochs=EPOCHS, logs=given.logs, workers=1, **arguments)
        for name, arguments in SEARCHES.items()
    ]
    given.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, Browser() as browser:
        pages = {
            "report": write_report(studies[0], Path(folder) / "report.html"),
            "compare": write_comparison(studies, Path(folder) / "compare.html"),
        }
        for name, (page, width, height, is_dark) in PICTURES.items():
            browser.darken(is_dark)
            browser.resize(width, height)
            browser.open(pages[page].as_uri())
            browser.wait("document.querySelectorAll('.plot svg').length")
            time.sleep(0.5)  # it is laid out once more when its bar has appeared
            browser.save(given.out / name)
            print(given.out / name)


if __name__ == "__main__":
    main()
