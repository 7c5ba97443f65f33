"""One file from a template, its style, its scripts and the data of its pictures.

Owns that a page asks for nothing from anywhere, and that nothing but our own script runs in it: the page says so to the
browser (a content security policy with the script's digest), so that what a study is called, or a trial said, is never
code, even if a template forgot to escape it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from typing import Any

from tuning.records.words import duration, number, numbers_of, score

SCRIPTS = ("scales.js", "charts.js", "page.js")


def rendered(
    template: str, figures: Mapping[str, Sequence[Any]], tips: Mapping[int, str], is_live: bool = False, **facts: Any
) -> str:
    """Return a page.

    Args:
        template: its file.
        figures: what is drawn, by the name under which the template places it.
        tips: what is said of each trial that can be pointed at.
        is_live: whether the page asks its server for a newer one.
        **facts: what the template shows.
    """
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("tuning.report", "."), autoescape=True, trim_blocks=True, lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )  # fmt: skip
    environment.filters.update(score=score, number=number, duration=duration, numbers_of=numbers_of)
    drawn = {figure["id"]: figure for group in figures.values() for figure in group}
    script = _script()
    return environment.get_template(template).render(
        **facts, figures=figures, is_live=is_live, data=as_data({"figures": drawn, "tips": tips}),
        style=_text("page.css"), script=script, policy=_policy(script, is_live),
    )  # fmt: skip


def as_data(value: Any) -> str:
    """Return JSON in which nothing can end a script."""
    try:
        text = json.dumps(value, allow_nan=False, default=str, separators=(",", ":"))
    except ValueError:
        text = json.dumps(_finite(value), allow_nan=False, default=str, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(one) for key, one in value.items()}
    return [_finite(one) for one in value] if isinstance(value, (list, tuple)) else value


@lru_cache(maxsize=1)
def _script() -> str:
    return "(() => {\n" + "\n".join(map(_text, SCRIPTS)) + "})();\n"


def _text(name: str) -> str:
    return files("tuning.report").joinpath(name).read_text("utf-8")


def _policy(script: str, is_live: bool) -> str:
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    asks = "'self'" if is_live else "'none'"
    return (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; img-src blob: data:; "
        f"connect-src {asks}; base-uri 'none'; form-action 'none'"
    )
