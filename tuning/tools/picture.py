"""A curve over a logarithmic axis as a small SVG picture, which every browser shows.

Owns the drawing and nothing else.
"""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence

WIDTH, HEIGHT = 860, 480
LEFT, RIGHT, TOP, BOTTOM = 70, 20, 50, 60
N_TICKS = 6
FONT = "font-family='system-ui, sans-serif'"


def curve_picture(
    xs: Sequence[float],
    faint: Sequence[float],
    bold: Sequence[float],
    marks: Mapping[str, float],
    title: str,
    x_name: str,
    y_name: str,
) -> str:
    """Return an SVG document with two curves over the same logarithmic axis.

    Args:
        xs: positive and increasing.
        faint: values drawn thin, in the background.
        bold: values drawn thick; they decide the height of the axis.
        marks: vertical lines: text and place on the horizontal axis.
        title: above the picture.
        x_name: of the horizontal axis.
        y_name: of the vertical axis.
    """
    low, high = math.log10(xs[0]), math.log10(xs[-1])
    # A loss that explodes would flatten all that matters: what is far above the start is cut off.
    floor = min(bold)
    ceiling = min(max(bold), floor + 1.6 * (max(bold[: max(1, len(bold) // 4)]) - floor) or max(bold))
    floor, ceiling = (floor, ceiling) if ceiling > floor else (floor - 0.5, floor + 0.5)
    margin = 0.06 * (ceiling - floor)
    floor, ceiling = floor - margin, ceiling + margin

    def across(x: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (math.log10(x) - low) / ((high - low) or 1)

    def down(y: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (ceiling - y) / (ceiling - floor)

    def line(ys: Sequence[float], style: str) -> str:
        points = " ".join(f"{across(x):.1f},{down(y):.1f}" for x, y in zip(xs, ys, strict=True))
        return f"<polyline points='{points}' fill='none' clip-path='url(#plot)' {style}/>"

    def text(x: float, y: float, words: str, style: str = "") -> str:
        return f"<text x='{x:.1f}' y='{y:.1f}' {FONT} fill='#333' {style}>{html.escape(words)}</text>"

    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {HEIGHT}' width='{WIDTH}' height='{HEIGHT}'>",
        f"<rect width='{WIDTH}' height='{HEIGHT}' fill='white'/>",
        f"<clipPath id='plot'><rect x='{LEFT}' y='{TOP}' width='{right - LEFT}' height='{bottom - TOP}'/></clipPath>",
        text(LEFT, 28, title, "font-size='18' font-weight='600'"),
        text((LEFT + right) / 2, HEIGHT - 14, x_name, "font-size='14' text-anchor='middle'"),
        text(18, TOP - 10, y_name, "font-size='14'"),
    ]
    for power in range(math.ceil(low - 1e-9), math.floor(high + 1e-9) + 1):
        x = across(10.0**power)
        parts.append(f"<line x1='{x:.1f}' x2='{x:.1f}' y1='{TOP}' y2='{bottom}' stroke='#e5e5e5'/>")
        parts.append(text(x, bottom + 20, f"1e{power}" if power else "1", "font-size='12' text-anchor='middle'"))
    for y in _ticks(floor, ceiling):
        parts.append(f"<line x1='{LEFT}' x2='{right}' y1='{down(y):.1f}' y2='{down(y):.1f}' stroke='#e5e5e5'/>")
        parts.append(text(LEFT - 8, down(y) + 4, f"{y:.4g}", "font-size='12' text-anchor='end'"))
    parts.append(line(faint, "stroke='#9ab' stroke-width='1' opacity='0.6'"))
    parts.append(line(bold, "stroke='#1f5fbf' stroke-width='2.5'"))
    for index, (words, at) in enumerate(marks.items()):
        x = across(at)
        parts.append(
            f"<line x1='{x:.1f}' x2='{x:.1f}' y1='{TOP}' y2='{bottom}' stroke='#c2410c' stroke-dasharray='5 4'/>"
        )
        halo = "font-size='13' paint-order='stroke' stroke='white' stroke-width='4'"
        parts.append(text(x + 6, TOP + 16 + 18 * index, words, halo))
    parts.append(
        f"<rect x='{LEFT}' y='{TOP}' width='{right - LEFT}' height='{bottom - TOP}' fill='none' stroke='#999'/>"
    )
    return "\n".join([*parts, "</svg>"]) + "\n"


def _ticks(low: float, high: float) -> list[float]:
    """Return round numbers between `low` and `high`."""
    rough = (high - low) / N_TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * m for m in (1, 2, 5, 10) if power * m >= rough)
    return [i * step for i in range(math.ceil(low / step), math.floor(high / step) + 1)]
