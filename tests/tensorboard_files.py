"""Reads back what lies in a study's `tensorboard/` folder, and plays the process that comes after a kill."""

from __future__ import annotations

from tests.tensorboard_search import MadeUpSearch, definition
from tuning.tensorboard import TensorBoardObserver, writer
from tuning.tensorboard.layout import our_files

EXPERIMENT = "_hparams_/experiment"


def points_in(root):
    """Read {run: {tag: [(step, value), ...]}} from the event files, records included as (0, None)."""
    runs = {}
    for path in sorted(our_files(root)):
        tags = runs.setdefault(str(path.parent.relative_to(root)), {})
        for event in writer.read_events(path):
            for value in event.summary.value:
                number = value.simple_value if value.HasField("simple_value") else None
                tags.setdefault(value.tag, []).append((event.step, number))
    return runs


def shown(root):
    """What is on disk but for the name of the experiment's folder."""
    return {"_experiment" if run.startswith("_experiment") else run: tags for run, tags in points_in(root).items()}


def experiments(root):
    return [run for run, tags in points_in(root).items() if EXPERIMENT in tags]


def resumed(search, root, **fields):
    """The same search in another process: a new observer is told the trials that the store has."""
    return MadeUpSearch(TensorBoardObserver(root), definition(**fields), list(search.trials.values()))
