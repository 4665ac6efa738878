"""What figures are made of: scales, ticks, lines, markers, labels that do not collide. Lengths are CSS pixels.

A panel is drawn about as wide as it is shown (a phone's width), so its text keeps its size.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from thalweg.report.markup import Child, Markup, decimal, el
from thalweg.report.style import Marker, Style

Point = tuple[float, float]

_BEST_ERROR = 1e-4
"""Accuracies above 1 - 1e-4 are drawn there: the logarithm of no error at all has no place on paper."""


def identity(value: float) -> float:
    """The linear scale."""
    return value


def log10(value: float) -> float:
    """The logarithmic scale; nothing on it is below 1e-300."""
    return math.log10(max(value, 1e-300))


def log_error(accuracy: float) -> float:
    """The scale for accuracies: from 0.8 to 0.9 the error halves, and so it does from 0.98 to 0.99."""
    return -math.log10(max(1.0 - accuracy, _BEST_ERROR))


@dataclass(frozen=True, slots=True)
class Scale:
    """From numbers to pixels: `low` goes to `start`, `high` to `end`, what lies outside to the nearer of them."""

    low: float
    high: float
    start: float
    end: float
    transform: Callable[[float], float] = identity

    def __call__(self, value: float) -> float:
        """The pixel of `value`."""
        low, high = self.transform(self.low), self.transform(self.high)
        share = (self.transform(value) - low) / (high - low) if high > low else 0.5
        return self.start + (self.end - self.start) * min(max(share, 0.0), 1.0)


def whole_ticks(high: int, most: int = 5) -> list[int]:
    """0 and up to `most` further whole numbers, evenly spaced by 1, 2 or 5 times a power of ten."""
    step = next(s for s in (m * 10**e for e in range(12) for m in (1, 2, 5)) if s * most >= high)
    return list(range(0, high + 1, step))


def power_ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Powers of ten from `low` to `high`, every k-th one if there are more than `most`."""
    first, last = math.ceil(log10(low) - 1e-9), math.floor(log10(high) + 1e-9)
    step = max(1, math.ceil((last - first + 1) / most))
    return [10.0**k for k in range(last, first - 1, -step)][::-1]


def accuracy_ticks(low: float, high: float) -> list[float]:
    """Accuracies whose errors are spaced about evenly on the scale of `log_error`."""
    return [tick for tick in (0.0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999) if low <= tick <= high]


def spaced(positions: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Positions moved as little as possible so that neighbours are `gap` apart and all lie between `low` and `high`.

    For labels at the ends of lines: their order is kept. If they cannot all fit they share the room evenly.
    """
    order = sorted(range(len(positions)), key=lambda i: positions[i])
    gap = min(gap, (high - low) / max(len(positions) - 1, 1))
    # Without the gaps that lie before it, each label only has to keep the order: groups that would cross share a mean.
    groups: list[tuple[float, int]] = []
    for rank, i in enumerate(order):
        total, count = positions[i] - rank * gap, 1
        while groups and groups[-1][0] / groups[-1][1] > total / count:
            total, count = total + groups[-1][0], count + groups[-1][1]
            groups.pop()
        groups.append((total, count))
    placed = [0.0] * len(positions)
    top = high - (len(positions) - 1) * gap
    flat = [min(max(total / count, low), top) for total, count in groups for _ in range(count)]
    for rank, i in enumerate(order):
        placed[i] = flat[rank] + rank * gap
    return placed


def figure(width: float, height: float, name: str, *children: Child) -> Markup:
    """An SVG picture with a name for those who cannot see it. It fills the width of its place, up to a quarter more."""
    return el(
        "svg",
        *children,
        viewBox=f"0 0 {decimal(width)} {decimal(height)}",
        width=width,
        height=height,
        role="img",
        aria_label=name,
    )


def line(points: Iterable[Point | None], class_: str, style: Style | None = None, width: float | None = None) -> Markup:
    """A line through points; None is a gap. With a style it has the rule's dash."""
    parts, pen = [], "M"
    for point in points:
        if point is None:
            pen = "M"
        else:
            parts.append(f"{pen}{decimal(point[0])} {decimal(point[1])}")
            pen = "L"
    return el(
        "path", d="".join(parts), class_=class_, stroke_dasharray=style.dash if style else None, stroke_width=width
    )


def rule_line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    """A straight line: axis, tick, grid."""
    return el("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def rect(x: float, y: float, width: float, height: float, class_: str, *children: Child) -> Markup:
    """A rectangle; (x, y) is its upper left corner."""
    return el("rect", *children, x=x, y=y, width=width, height=height, class_=class_)


def text(x: float, y: float, words: str, class_: str | None = None, anchor: str | None = None) -> Markup:
    """Words whose middle is at height y."""
    return el("text", words, x=x, y=y, dy="0.35em", class_=class_, text_anchor=anchor)


def cross(x: float, y: float, size: float, class_: str, *children: Child) -> Markup:
    """The mark of a diverged run."""
    a, b, c, d = (decimal(v) for v in (x - size, y - size, x + size, y + size))
    return el("path", *children, d=f"M{a} {b}L{c} {d}M{a} {d}L{c} {b}", class_=class_)


def dot(x: float, y: float, radius: float, class_: str, *children: Child) -> Markup:
    """A disc: one run."""
    return el("circle", *children, cx=x, cy=y, r=radius, class_=class_)


def title(words: str) -> Markup:
    """What a pointer resting on the mark is told."""
    return el("title", words)


_SHAPES: dict[Marker, Sequence[Point]] = {
    "square": ((-0.85, -0.85), (0.85, -0.85), (0.85, 0.85), (-0.85, 0.85)),
    "triangle": ((0, -1.1), (1.05, 0.8), (-1.05, 0.8)),
    "wedge": ((0, 1.1), (1.05, -0.8), (-1.05, -0.8)),
    "diamond": ((0, -1.2), (1.05, 0), (0, 1.2), (-1.05, 0)),
    "bar": ((-0.4, -1.2), (0.4, -1.2), (0.4, 1.2), (-0.4, 1.2)),
    "pentagon": tuple((1.1 * math.sin(k * math.tau / 5), -1.1 * math.cos(k * math.tau / 5)) for k in range(5)),
    "cross": (
        *((-0.35, -1.1), (0.35, -1.1), (0.35, -0.35), (1.1, -0.35), (1.1, 0.35), (0.35, 0.35)),
        *((0.35, 1.1), (-0.35, 1.1), (-0.35, 0.35), (-1.1, 0.35), (-1.1, -0.35), (-0.35, -0.35)),
    ),
}


def marker(x: float, y: float, shape: Marker, size: float, class_: str = "marker", *children: Child) -> Markup:
    """A rule's marker of about `size` pixels in radius."""
    if shape == "circle":
        return dot(x, y, size, class_, *children)
    points = " ".join(f"{decimal(x + size * dx)},{decimal(y + size * dy)}" for dx, dy in _SHAPES[shape])
    return el("polygon", *children, points=points, class_=class_)


def swatch(style: Style) -> Markup:
    """A rule's line and marker beside its name in a table or heading."""
    return el(
        "svg",
        line([(1, 7), (25, 7)], "median", style, 2),
        marker(13, 7, style.marker, 4.2),
        viewBox="0 0 26 14",
        width=26,
        height=14,
        class_="swatch",
        style=f"--c:{style.colour}",
        aria_hidden="true",
    )
