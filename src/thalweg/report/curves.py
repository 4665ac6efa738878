"""Learning curves at each rule's best rate: every seed a thin line, their median a marked one."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from thalweg.lab import formats
from thalweg.lab.findings import Cells
from thalweg.lab.measure import Measure
from thalweg.lab.records import Record
from thalweg.lab.results import Findings, RuleResult
from thalweg.report import axes, svg
from thalweg.report.axes import Axis
from thalweg.report.markup import Child, Markup, el
from thalweg.report.style import Style
from thalweg.report.svg import Scale

WIDTH, LEFT, RIGHT, TOP, BOTTOM = 340.0, 46.0, 56.0, 18.0, 38.0
_TALL, _SHORT, _BETWEEN = 150.0, 96.0, 34.0


@dataclass(frozen=True, slots=True)
class Quantity:
    """Something that is drawn against epochs: which curve of a record, and which way is better."""

    curve: str
    title: str
    higher_is_better: bool
    axis: Axis
    height: float
    target: float | None


@dataclass(frozen=True, slots=True)
class Curves:
    """One rule's runs at its best rate."""

    result: RuleResult
    runs: Sequence[Record]

    def median(self, quantity: Quantity, epochs: int) -> list[float | None]:
        """Median over seeds at each epoch; a run that has diverged is worse than any number, None if the median has."""
        worst = -math.inf if quantity.higher_is_better else math.inf
        lines = [_values(run, quantity.curve) for run in self.runs]
        at = [
            [line[e] if e < len(line) and line[e] is not None else worst for line in lines] for e in range(epochs + 1)
        ]
        medians = [statistics.median([v for v in values if v is not None]) for values in at]
        return [value if math.isfinite(value) else None for value in medians]


@dataclass(frozen=True, slots=True)
class End:
    """Words at the end of a line."""

    point: svg.Point
    words: str
    class_: str


def learning_curves(findings: Findings, cells: Cells, styles: Mapping[str, Style]) -> tuple[list[Markup], list[Markup]]:
    """Two lists of panels: all rules' medians together, one panel a quantity; and one panel a rule."""
    shown = [
        Curves(rule, [cells[key] for seed in findings.seeds if (key := (rule.rule, rule.best.lr, seed)) in cells])
        for rule in findings.rules
        if rule.best
    ]
    quantities = _quantities(findings.measure, shown)
    together = [_together(quantity, shown, findings, styles) for quantity in quantities]
    alone = [_alone(curves, quantities, shown, findings, styles[curves.result.rule]) for curves in shown]
    return together, alone


def _quantities(measure: Measure, shown: Sequence[Curves]) -> list[Quantity]:
    def values(curve: str) -> list[float]:
        return [v for curves in shown for run in curves.runs for v in _values(run, curve) if v is not None]

    metric = Quantity(
        curve="val_metric",
        title=f"validation {measure.title}" if measure.held_out else measure.title,
        higher_is_better=measure.higher_is_better,
        axis=axes.metric_axis(measure, values("val_metric")),
        height=_TALL,
        target=measure.target,
    )
    if not measure.held_out:
        return [metric]  # the loss is the value itself
    loss = Quantity("train_loss", "training loss", False, axes.loss_axis(values("train_loss")), _SHORT, None)
    return [metric, loss]


def _together(quantity: Quantity, shown: Sequence[Curves], findings: Findings, styles: Mapping[str, Style]) -> Markup:
    """Medians of all rules in one panel, each named where it ends."""
    axis, height, right = axes.epoch_axis(findings.epochs), _TALL + _SHORT, WIDTH - 84
    x = axis.scale(LEFT, right)
    y = quantity.axis.scale(TOP + height, TOP)
    parts: list[Child] = _frame(quantity, x, y)
    ends = _target_end(quantity, x, y)
    for curves in shown:
        style = styles[curves.result.rule]
        median = curves.median(quantity, findings.epochs)
        parts.append(el("g", *_median_line(median, x, y, style, every=5), style=f"--c:{style.colour}"))
        points = [point for point in _points(median, x, y) if point]
        if points:
            ends.append(End(points[-1], _short(curves.result.title), "end"))
    parts += _ends(ends, y, right)
    parts += axes.bottom(axis, x, TOP + height, "epoch")
    name = f"{quantity.title} by epoch, medians of all rules at their best rates"
    return svg.figure(WIDTH, TOP + height + BOTTOM, name, *parts)


def _alone(
    curves: Curves, quantities: Sequence[Quantity], shown: Sequence[Curves], findings: Findings, style: Style
) -> Markup:
    """One rule: each quantity in a plot of its own, the other rules' medians in grey behind it."""
    axis = axes.epoch_axis(findings.epochs)
    x = axis.scale(LEFT, WIDTH - RIGHT)
    parts: list[Child] = []
    top = TOP
    for quantity in quantities:
        y = quantity.axis.scale(top + quantity.height, top)
        parts += _frame(quantity, x, y)
        parts += [
            svg.line(_points(other.median(quantity, findings.epochs), x, y), "ghost")
            for other in shown
            if other is not curves
        ]
        median = curves.median(quantity, findings.epochs)
        lines = [*_seed_lines(curves, quantity, x, y), *_median_line(median, x, y, style, findings.epochs // 4 or 1)]
        parts.append(el("g", *lines, style=f"--c:{style.colour}"))
        ends = _target_end(quantity, x, y)
        if median[-1] is not None:
            words = _number(quantity, findings.measure, median[-1])
            ends.append(End((x(findings.epochs), y(median[-1])), words, "end"))
        parts += _ends(ends, y, WIDTH - RIGHT)
        top += quantity.height + _BETWEEN
    end = top - _BETWEEN
    parts += axes.bottom(axis, x, end, "epoch")
    parts += _read_outs(curves, quantities[0], findings, x, end)
    name = f"{' and '.join(q.title for q in quantities)} of {curves.result.name} by epoch, every seed and their median"
    return svg.figure(WIDTH, end + BOTTOM, name, *parts)


def _seed_lines(curves: Curves, quantity: Quantity, x: Scale, y: Scale) -> Iterable[Markup]:
    for run in curves.runs:
        values = _values(run, quantity.curve)
        yield svg.line(_points(values, x, y), "seed")
        if run["status"] == "diverged" and values and values[-1] is not None:
            yield svg.cross(x(len(values) - 1), y(values[-1]), 4, "diverged", svg.title(f"seed {run['seed']} diverged"))


def _median_line(median: Sequence[float | None], x: Scale, y: Scale, style: Style, every: int) -> Iterable[Markup]:
    points = _points(median, x, y)
    yield svg.line(points, "median", style)
    for epoch, point in enumerate(points):
        if point and (epoch == len(points) - 1 or epoch % every == 0):
            yield svg.marker(*point, style.marker, 3.4)


def _frame(quantity: Quantity, x: Scale, y: Scale) -> list[Child]:
    parts: list[Child] = [*axes.left(quantity.axis, y, x.start, x.end)]
    parts.append(svg.text(x.start - 40, y.end - 11, quantity.title, "name"))
    if quantity.target is not None:
        parts.append(svg.rule_line(x.start, y(quantity.target), x.end, y(quantity.target), "target"))
    return parts


def _target_end(quantity: Quantity, x: Scale, y: Scale) -> list[End]:
    return [] if quantity.target is None else [End((x.end, y(quantity.target)), "target", "note")]


def _ends(ends: Sequence[End], y: Scale, right: float) -> Iterable[Markup]:
    """Words at the ends of lines, apart from each other; where they had to move, a thin line leads to them."""
    places = svg.spaced([end.point[1] for end in ends], 13, y.end - 4, y.start + 4)
    moved = any(abs(end.point[1] - place) > 2 for end, place in zip(ends, places, strict=True))
    reach = 16 if moved else 5
    for end, place in zip(ends, places, strict=True):
        if moved:
            yield svg.line([(end.point[0] + 5, end.point[1]), (right + reach - 3, place)], "leader")
        yield svg.text(right + reach + 1, place, end.words, end.class_)


def _read_outs(curves: Curves, quantity: Quantity, findings: Findings, x: Scale, height: float) -> Iterable[Markup]:
    """A strip an epoch that tells the numbers to a pointer resting on it."""
    median = curves.median(quantity, findings.epochs)
    wide = (x.end - x.start) / max(findings.epochs, 1)
    for epoch, middle in enumerate(median):
        seeds = [_values(run, quantity.curve)[epoch : epoch + 1] for run in curves.runs]
        each = ", ".join(findings.measure.text(v[0]) if v and v[0] is not None else "diverged" for v in seeds)
        centre = findings.measure.text(middle) if middle is not None else "diverged"
        words = f"epoch {epoch}: median {centre} (seeds {each})"
        yield svg.rect(x(epoch) - wide / 2, TOP, wide, height - TOP, "read", svg.title(words))


def _number(quantity: Quantity, measure: Measure, value: float) -> str:
    return measure.text(value) if quantity.curve == "val_metric" else formats.measured(value, 2)


def _points(values: Sequence[float | None], x: Scale, y: Scale) -> list[svg.Point | None]:
    return [None if value is None else (x(epoch), y(value)) for epoch, value in enumerate(values)]


def _values(run: Record, curve: str) -> list[float | None]:
    return run["curve"][curve]


def _short(name: str) -> str:
    """A rule's name where there is room for some twelve letters."""
    return name if len(name) <= 11 else name[:10] + "…"
