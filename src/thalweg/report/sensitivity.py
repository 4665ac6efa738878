"""Learning-rate sensitivity: what every rate tried gave, where runs diverge, how wide the good zone is."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping
from itertools import groupby, pairwise

from thalweg.lab import formats
from thalweg.lab.results import Findings, RateResult, RuleResult, Zone
from thalweg.report import axes, svg
from thalweg.report.axes import Axis
from thalweg.report.markup import Child, Markup, el
from thalweg.report.style import Style
from thalweg.report.svg import Scale

WIDTH, LEFT, RIGHT = 340.0, 54.0, 12.0
_TOP, _HEIGHT, _STRIP, _BOTTOM = 26.0, 140.0, 24.0, 38.0
_ROW = 27.0


def sensitivity(findings: Findings, styles: Mapping[str, Style]) -> list[Markup]:
    """One panel a rule, all on the same axes: every seed, the median, the diverged runs, the best rate."""
    finals = [
        s.validation for rule in findings.rules for rate in rule.rates for s in rate.seeds if s.validation is not None
    ]
    metric = axes.metric_axis(findings.measure, finals)
    rates = _rate_axis(findings)
    return [_panel(rule, findings, metric, rates, styles[rule.rule]) for rule in findings.rules]


def zones(findings: Findings, styles: Mapping[str, Style]) -> Markup:
    """All rules on one axis of learning rates: searched, good, best, diverged."""
    axis, left = _rate_axis(findings), 84.0
    x = axis.scale(left, WIDTH - RIGHT)
    height = _ROW * len(findings.rules)
    parts: list[Child] = [svg.rule_line(x(tick), 6, x(tick), 6 + height, "grid") for tick, _ in axis.ticks]
    for i, rule in enumerate(findings.rules):
        y, style = 6 + _ROW * (i + 0.5), styles[rule.rule]
        parts.append(
            svg.text(left - 14, y, rule.title if len(rule.title) <= 11 else rule.title[:10] + "…", "end", "end")
        )
        parts += _range(rule, x, y)
        parts += [svg.cross(x(rate.lr), y, 3, "diverged") for rate in rule.rates if rate.count("diverged")]
        parts.append(el("g", *_good(rule, x, y, style), style=f"--c:{style.colour}"))
    parts += axes.bottom(axis, x, 6 + height, "learning rate")
    name = "Good zones of all rules: the learning rates at which every seed ends at the target or better"
    return svg.figure(WIDTH, 6 + height + _BOTTOM, name, *parts)


def zone_text(zone: Zone | None) -> str:
    """The width of a good zone in words."""
    if zone is None:
        return "none"
    if zone.low == zone.high:
        return "one rate"
    return f"{'at least ' if zone.open_ended else ''}{zone.decades:.1f} decades"


def _rate_axis(findings: Findings) -> Axis:
    return axes.rate_axis(rate.lr for rule in findings.rules for rate in rule.rates)


def _good(rule: RuleResult, x: Scale, y: float, style: Style) -> Iterable[Markup]:
    if rule.zone:
        yield svg.rule_line(x(rule.zone.low) - 3, y, x(rule.zone.high) + 3, y, "zone")
    if rule.best:
        words = f"best rate {formats.number(rule.best.lr)}"
        yield svg.marker(x(rule.best.lr), y, style.marker, 5.5, "best", svg.title(words))


def _range(rule: RuleResult, x: Scale, y: float) -> Iterable[Markup]:
    """The range that was searched, closed at both ends."""
    low, high = x(min(rate.lr for rate in rule.rates)), x(max(rate.lr for rate in rule.rates))
    yield svg.rule_line(low, y, high, y, "axis")
    yield svg.rule_line(low, y - 4, low, y + 4, "axis")
    yield svg.rule_line(high, y - 4, high, y + 4, "axis")


def _panel(rule: RuleResult, findings: Findings, metric: Axis, rates: Axis, style: Style) -> Markup:
    """The strip of the diverged lies where the worst values are: below accuracies, above values to minimise."""
    measure = findings.measure
    x = rates.scale(LEFT, WIDTH - RIGHT)
    top = _TOP if measure.higher_is_better else _TOP + _STRIP
    y = metric.scale(top + _HEIGHT, top)
    strip = top + _HEIGHT + _STRIP / 2 + 3 if measure.higher_is_better else _TOP + _STRIP / 2 - 3
    end = _TOP + _HEIGHT + _STRIP
    parts: list[Child] = [
        *_zone_of_divergence(rule, x, end),
        *axes.left(metric, y, LEFT, WIDTH - RIGHT),
        svg.text(LEFT - 6, strip, "diverged", "tick", "end"),
        svg.rule_line(LEFT, y(measure.target), WIDTH - RIGHT, y(measure.target), "target"),
        *_range(rule, x, end),
        *_zone_bar(rule, x),
    ]
    if rule.best:
        parts.append(svg.rule_line(x(rule.best.lr), _TOP - 4, x(rule.best.lr), end, "chosen"))
    parts.append(el("g", *_marks(rule, findings, x, y, strip, style), style=f"--c:{style.colour}"))
    parts += axes.bottom(rates, x, end, "learning rate")
    name = f"Final validation {measure.title} of {rule.name} by learning rate, every seed and their median"
    return svg.figure(WIDTH, end + _BOTTOM, name, *parts)


def _marks(rule: RuleResult, findings: Findings, x: Scale, y: Scale, strip: float, style: Style) -> Iterable[Markup]:
    medians = [(rate, _median(rate, findings)) for rate in rule.rates]
    yield svg.line([None if m is None else (x(rate.lr), y(m)) for rate, m in medians], "median", style)
    for rate in rule.rates:
        lost = [s for s in rate.seeds if s.status == "diverged"]
        for i, seed in enumerate(lost):
            place = x(rate.lr) + (i - (len(lost) - 1) / 2) * min(6.0, 22 / len(lost))
            words = f"{formats.number(rate.lr)}, seed {seed.seed}: {seed.stopped}"
            yield svg.cross(place, strip, 2.6, "diverged", svg.title(words))
        for seed in rate.seeds:
            if seed.validation is not None:
                words = f"{formats.number(rate.lr)}, seed {seed.seed}: {findings.measure.text(seed.validation)}"
                yield svg.dot(x(rate.lr), y(seed.validation), 2.2, "run", svg.title(words))
    for rate, median in medians:
        if median is not None:
            best = rule.best is not None and rate.lr == rule.best.lr
            yield svg.marker(x(rate.lr), y(median), style.marker, 5.5 if best else 3.4, "best" if best else "marker")


def _median(rate: RateResult, findings: Findings) -> float | None:
    """The median over all seeds with a run, a diverged one being worse than any number."""
    measure = findings.measure
    worst = float("-inf") if measure.higher_is_better else float("inf")
    values = [worst if s.validation is None else s.validation for s in rate.seeds if s.status != "missing"]
    median = statistics.median(values) if values else worst
    return median if abs(median) != float("inf") else None


def _zone_bar(rule: RuleResult, x: Scale) -> Iterable[Markup]:
    """The good zone as a bar above the plot, with its width."""
    words = "no good zone" if rule.zone is None else f"good zone: {zone_text(rule.zone)}"
    middle = (x.start + x.end) / 2
    if rule.zone:
        low, high = x(rule.zone.low), x(rule.zone.high)
        yield svg.rule_line(low - 3, _TOP - 6, high + 3, _TOP - 6, "span")
        middle = (low + high) / 2
    half = 3.3 * len(words)
    yield svg.text(min(max(middle, x.start + half), x.end - half), _TOP - 17, words, "note", "middle")


def _zone_of_divergence(rule: RuleResult, x: Scale, end: float) -> Iterable[Markup]:
    """A tint behind the rates at which a run diverged, half way to their neighbours."""
    places = [x(rate.lr) for rate in rule.rates]
    borders = [places[0] - 11, *((a + b) / 2 for a, b in pairwise(places)), places[-1] + 11]
    cells = zip(rule.rates, pairwise(borders), strict=True)
    for lost, group in groupby(cells, key=lambda cell: cell[0].count("diverged") > 0):
        if lost:
            spans = [span for _, span in group]
            yield svg.rect(spans[0][0], _TOP, spans[-1][1] - spans[0][0], end - _TOP, "lost")
