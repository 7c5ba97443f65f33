"""The model card: what a person must know about a final model before using it, as Markdown.

Owns the words. Everything in it is taken from the study and the record of the final model.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any

from tuning.driver.command import why_none
from tuning.final.record import Final
from tuning.records.trial import State
from tuning.storage.folder import FINAL_MODEL, MODEL_FILE
from tuning.study import Study

CARD = "model_card.md"


def model_card(study: Study, final: Final) -> str:
    """Return the card of a study's final model."""
    definition, objective = study.definition, study.objective
    made = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(final.created_at))
    spread = "" if final.spread is None else f"; over {len(final.seeds)} seeds {final.mean:.4f} ± {final.spread:.4f}"
    parts = [
        f"# Model card: {study.name}",
        f"Made {made}. {study.space.description}".rstrip(),
        f"**{final.metric} {final.score:.4f} on the test split** ({final.n_test:,} samples){spread}.",
        "## Model",
        _table(("hyperparameter", "value"), [(name, f"`{value}`") for name, value in final.values.items()]),
        _inputs(final),
        f"File: `{MODEL_FILE}`, a whole Keras model. From Python: "
        f"`tuning.load('{study.path}').final_model()`; with Keras alone: "
        f"`keras.models.load_model('{study.path / FINAL_MODEL / MODEL_FILE}')`.",
        "## Scores",
        _scores(final),
        f"The model that is saved is the one of seed {final.seeds[0]}, chosen before the test split was read. In the "
        f"search, trial {final.trial} had {objective.name} {final.validation_score:.4f}; a score that was the best of "
        "many is an optimistic one.",
        _looks(final),
        "## Training",
        f"Trained afresh for {final.epochs} epochs on {final.n_training:,} samples: the training and the validation "
        f"split together{', the learning rate falling along half a cosine' if final.annealed else ''}. What the "
        "space's `fit` learns from its data, such as normalisation, was learned from both.",
        "## Data",
        _table(("split", "what"), [(name, f"`{text}`") for name, text in definition.data.items()]),
        "## Search",
        _table(("what", "how"), _search(study)),
        _command(study, final),
        "## Versions",
        ", ".join(f"{name} {version}" for name, version in final.versions.items()),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _inputs(final: Final) -> str:
    if final.inputs is None:
        return ""
    parts = [f"`{p['name']}` {p['dtype']} [n{''.join(f', {s}' for s in p['shape'])}]" for p in final.inputs["parts"]]
    named = f" Targets: {', '.join(final.classes)}." if final.classes else ""
    return f"Inputs: {'; '.join(parts)}.{named}"


def _scores(final: Final) -> str:
    names = list(final.scores[0])
    rows = [
        (str(seed), *(f"{scores[name]:.5g}" for name in names))
        for seed, scores in zip(final.seeds, final.scores, strict=True)
    ]
    return _table(("seed", *(f"test {name}" for name in names)), rows)


def _looks(final: Final) -> str:
    if not final.earlier:
        return "The test split was evaluated once."
    listed = ", ".join(f"{score:.4f}" for score in final.earlier)
    return (
        f"**The test split was evaluated {len(final.earlier) + 1} times**; earlier {final.metric}: {listed}. Only the "
        "first of such scores is free of choices that knew the test split."
    )


def _search(study: Study) -> list[tuple[str, str]]:
    definition = study.definition
    options = ", ".join(f"{k}={v}" for k, v in definition.options.items() if v is not None)
    failed = sum(t.state is State.FAILED for t in study.trials)
    return [
        ("space", definition.space),
        ("hyperparameters", "; ".join(f"`{h.name}` {h.describe()}" for h in definition.hyperparameters)),
        ("engine", definition.engine + (f" ({options})" if options else "")),
        ("objective", str(definition.objective)),
        ("seed", str(definition.seed)),
        (
            "budget",
            f"{len(study.trials)} trials ({failed} failed), at most {definition.epochs} epochs each; "
            f"{sum(t.trained_epochs for t in study.trials)} epochs, "
            f"{sum(t.seconds for t in study.trials):.0f} s of training",
        ),
    ]


def _command(study: Study, final: Final) -> str:
    command = study.command()
    n_seeds, flag = len(final.seeds), " --anneal" if final.annealed else ""
    if command is None:
        return f"No command repeats the search, because {why_none(study.definition)}."
    elsewhere = command.partition("tune run")[0]  # what the environment says
    return f"```\n{command}\n{elsewhere}tune finalize {study.name} --seeds {n_seeds}{flag}\n```"


def _table(heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    lines = [f"| {' | '.join(heads)} |", f"|{' --- |' * len(heads)}"]
    lines += [f"| {' | '.join(str(cell).replace('|', '&#124;') for cell in row)} |" for row in rows]
    return "\n".join(lines)
