"""Small pictures inside table cells: results by seed, differences by pair."""

from __future__ import annotations

from collections.abc import Sequence

from thalweg.lab.measure import Measure
from thalweg.lab.results import PairResult, RuleResult
from thalweg.report import svg
from thalweg.report.markup import Markup, el
from thalweg.report.style import Style
from thalweg.report.svg import Scale

WIDTH, HEIGHT, _MARGIN = 116.0, 22.0, 8.0
_WIDE = 260.0


def result_scale(measure: Measure, rules: Sequence[RuleResult]) -> Scale:
    """One scale for the results of all rules."""
    spreads = [rule.test for rule in rules if rule.test]
    low, high = min((s.low for s in spreads), default=0.0), max((s.high for s in spreads), default=1.0)
    transform = svg.log10 if measure.logarithmic else svg.identity
    return Scale(low, high, _MARGIN, WIDTH - _MARGIN, transform)


def result_strip(rule: RuleResult, scale: Scale, measure: Measure, style: Style) -> Markup:
    """Every seed's test result as a dot on the range, the centre as a bar."""
    middle = HEIGHT / 2
    parts = [svg.rule_line(_MARGIN, middle, WIDTH - _MARGIN, middle, "grid")]
    if rule.best and rule.test:
        parts.append(svg.rule_line(scale(rule.test.low), middle, scale(rule.test.high), middle, "range"))
        parts += [
            svg.dot(scale(s.test), middle, 3, "run", svg.title(f"seed {s.seed}: {measure.text(s.test)}"))
            for s in rule.best.seeds
            if s.test is not None
        ]
        centre = scale(rule.test.centre)
        parts.append(svg.rule_line(centre, middle - 8, centre, middle + 8, "centre"))
    name = f"results by seed, {measure.spread_text(rule.test)}" if rule.test else "no result"
    return _strip(name, style.colour, *parts)


def difference_scale(pairs: Sequence[PairResult]) -> Scale:
    """One symmetric scale for the differences of all pairs of runs that finished."""
    most = max((abs(d) for pair in pairs if pair.finished for d in pair.differences), default=0.0) or 1.0
    return Scale(-most, most, _MARGIN, _WIDE - _MARGIN)


def difference_strip(pair: PairResult, scale: Scale, measure: Measure) -> Markup:
    """The paired differences, seed by seed, and their mean: right of the middle where the first rule is better."""
    middle, differences = HEIGHT / 2, pair.differences
    parts = [svg.rule_line(scale(0), 0, scale(0), HEIGHT, "axis")]
    if pair.finished:
        parts.append(svg.rule_line(scale(min(differences)), middle, scale(max(differences)), middle, "range"))
        parts += [svg.dot(scale(d), middle, 3, "run", svg.title(measure.difference_text(d))) for d in differences]
        mean = scale(pair.difference)
        parts.append(svg.rule_line(mean, middle - 7, mean, middle + 7, "centre"))
    return _strip(f"mean difference {measure.difference_text(pair.difference)}", "var(--accent)", *parts, width=_WIDE)


def _strip(name: str, colour: str, *parts: Markup, width: float = WIDTH) -> Markup:
    return el(
        "svg",
        *parts,
        viewBox=f"0 0 {width:g} {HEIGHT:g}",
        width=width,
        height=HEIGHT,
        role="img",
        aria_label=name,
        class_="strip",
        style=f"--c:{colour}",
    )
