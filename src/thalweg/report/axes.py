"""Axes that several figures share: the metric, the loss, epochs, learning rates."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from thalweg.lab import formats
from thalweg.lab.measure import Measure
from thalweg.report import svg
from thalweg.report.markup import Markup
from thalweg.report.svg import Scale

_FLOOR = 1e-12
"""Values and losses below this are drawn there: what is solved is solved, and the scale is for the rest."""


@dataclass(frozen=True, slots=True)
class Axis:
    """The range of an axis, how it is divided, and its ticks with their words."""

    low: float
    high: float
    transform: Callable[[float], float]
    ticks: tuple[tuple[float, str], ...]

    def scale(self, start: float, end: float) -> Scale:
        """The axis between two pixels."""
        return Scale(self.low, self.high, start, end, self.transform)


def metric_axis(measure: Measure, values: Iterable[float]) -> Axis:
    """The axis of the problem's metric: logarithmic in the error for an accuracy, in itself for a value."""
    shown = [*values, measure.target, measure.chance]
    if measure.logarithmic:
        return loss_axis(shown)
    low, high = max(min(shown) * 0.9, 0.0), 1 - (1 - max(shown)) * 0.85
    ticks = [(tick, formats.number(tick)) for tick in svg.accuracy_ticks(low, high) if tick > measure.chance]
    return Axis(low, high, svg.log_error, ((measure.chance, "chance"), *ticks))


def loss_axis(values: Iterable[float]) -> Axis:
    """A logarithmic axis for positive values; those below the floor are drawn on it, and its tick says so."""
    shown = [max(value, _FLOOR) for value in values] or [1.0]
    low, high = min(shown) / 1.25, max(shown) * 1.25
    floored = min(shown) == _FLOOR
    if floored:
        low = _FLOOR
    ticks = [(tick, formats.number(tick)) for tick in svg.power_ticks(low, high, most=5)]
    if floored:
        ticks = [
            (_FLOOR, f"≤ {formats.number(_FLOOR)}"),
            *((tick, words) for tick, words in ticks if tick > 20 * _FLOOR),
        ]
    elif len(ticks) < 2:
        ticks = [(tick, formats.number(tick)) for tick in _ones_twos_fives(low, high)]
    return Axis(low, high, svg.log10, tuple(ticks))


def rate_axis(rates: Iterable[float]) -> Axis:
    """A logarithmic axis for learning rates, with a little room at both ends."""
    shown = list(rates)
    low, high = min(shown) / 1.3, max(shown) * 1.3
    ticks = svg.power_ticks(low, high, most=7)
    if len(ticks) < 2:
        ticks = sorted({min(shown), max(shown)})
    return Axis(low, high, svg.log10, tuple((tick, formats.number(tick)) for tick in ticks))


def epoch_axis(epochs: int) -> Axis:
    """Epochs from 0, before training."""
    return Axis(0, max(epochs, 1), svg.identity, tuple((tick, str(tick)) for tick in svg.whole_ticks(max(epochs, 1))))


def left(axis: Axis, y: Scale, x1: float, x2: float) -> list[Markup]:
    """Grid lines from x1 to x2 and their words on the left."""
    return [
        part
        for tick, words in axis.ticks
        for part in (
            svg.rule_line(x1, y(tick), x2, y(tick), "grid"),
            svg.text(x1 - 6, y(tick), words, "tick", "end"),
        )
    ]


def bottom(axis: Axis, x: Scale, y: float, words: str) -> list[Markup]:
    """Ticks and their words under the height y, and below them what the axis is."""
    marks = [svg.rule_line(x(tick), y, x(tick), y + 4, "axis") for tick, _ in axis.ticks]
    labels = [svg.text(x(tick), y + 13, label, "tick", "middle") for tick, label in axis.ticks]
    return [*marks, *labels, svg.text((x.start + x.end) / 2, y + 29, words, "name", "middle")]


def _ones_twos_fives(low: float, high: float) -> Sequence[float]:
    return [m * 10.0**k for k in range(-13, 14) for m in (1, 2, 5) if low <= m * 10.0**k <= high]
