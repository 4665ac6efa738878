"""The tables of the page. Each cell carries its heading, so that on a phone a row can become a small card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from thalweg.lab import formats
from thalweg.lab.house import Check
from thalweg.lab.results import Findings, RuleResult, median_epoch
from thalweg.report import strips, svg
from thalweg.report.markup import Child, Markup, el, unbroken
from thalweg.report.sensitivity import zone_text
from thalweg.report.style import Style


@dataclass(frozen=True, slots=True)
class Column:
    """A column's heading, and the class of its cells."""

    heading: str
    class_: str = "number"
    note: str | None = None
    """A second, quieter line under the heading."""


def table(columns: Sequence[Column], rows: Sequence[Sequence[Child]], caption: str, class_: str = "cards") -> Markup:
    """A table whose first column names the row. `cards` fall apart into blocks on a narrow screen; others scroll."""
    head = [el("th", column.heading, _note(column), scope="col", class_=column.class_) for column in columns]
    body = [
        el(
            "tr",
            el("th", row[0], scope="row"),
            [
                el("td", cell, class_=column.class_, data_label=column.heading)
                for column, cell in zip(columns[1:], row[1:], strict=True)
            ],
        )
        for row in rows
    ]
    inside = el("table", el("caption", caption), el("thead", el("tr", head)), el("tbody", body), class_=class_)
    return el("div", inside, class_="scroll", tabindex=None if class_ == "cards" else "0")


def _note(column: Column) -> Markup | None:
    return el("span", column.note, class_="sub") if column.note else None


def rule_name(rule: RuleResult, style: Style) -> Markup:
    """A rule as it is named everywhere on the page: its mark, its title, what was tuned."""
    tuned = el("span", f"[{', '.join(rule.tuned)}]", class_="tuned")
    return el("span", svg.swatch(style), " ", el("span", rule.title, tuned), class_="rule")


def edge_flag(rule: RuleResult) -> Markup | None:
    """The warning beside a best rate that has no worse one on both sides."""
    if rule.edge is None:
        return None
    return el("span", "not tuned" if rule.edge == "only" else f"{rule.edge} tried", class_="flag")


def spaces(findings: Findings, styles: Mapping[str, Style]) -> Markup:
    """The search space of each rule, and what was left at its default."""
    columns = [
        Column("rule", "rule"),
        Column("convention", "words"),
        Column("learning rates tried", "words"),
        Column("not tuned", "words"),
    ]
    rows: list[Sequence[Child]] = [
        (
            rule_name(rule, styles[rule.rule]),
            rule.convention,
            ", ".join(formats.number(rate.lr) for rate in rule.rates),
            ", ".join(f"{name} {formats.number(value)}" for name, value in rule.fixed.items()) or "–",
        )
        for rule in findings.rules
    ]
    return table(columns, rows, "Rules and search spaces")


def ranking(findings: Findings, styles: Mapping[str, Style]) -> Markup:
    """The result of each rule, best first."""
    measure = findings.measure
    scale = strips.result_scale(measure, findings.rules)
    seeds = len(findings.seeds)
    columns = [
        Column("rule", "rule"),
        Column(measure.part("test"), note=f"{measure.average}, range of {seeds} seeds" if seeds > 1 else "one seed"),
        Column("each seed", "picture"),
        Column("best rate"),
        Column("epochs", note=f"to {measure.target_text(measure.target)}"),
        Column("diverged", note="all rates"),
        Column("time a step"),
    ]
    rows: list[Sequence[Child]] = [
        (
            rule_name(rule, styles[rule.rule]),
            _result(rule, findings),
            strips.result_strip(rule, scale, measure, styles[rule.rule]),
            _rate(rule),
            _epochs(rule, findings.target),
            formats.of(rule.diverged, rule.declared - rule.missing),
            formats.duration(rule.step.centre) if rule.step else "not measured",
        )
        for rule in findings.rules
    ]
    order = "as it came out; too few seeds to tell" if findings.too_few_seeds else "by the result"
    return table(columns, rows, f"Ranking, {order}" if len(findings.rules) > 1 else "Result", "cards ranking")


def targets(findings: Findings, styles: Mapping[str, Style]) -> tuple[Markup, Markup]:
    """The target that was fixed beforehand, seed by seed; and the sweep of targets beside it."""
    measure = findings.measure
    fixed: list[Sequence[Child]] = []
    sweep: list[Sequence[Child]] = []
    for rule in findings.rules:
        name = rule_name(rule, styles[rule.rule])
        reached = rule.epochs(findings.target)
        hit = sum(epoch is not None for epoch in reached)
        each = ", ".join("never" if epoch is None else str(epoch) for epoch in reached)
        fixed.append((name, formats.of(hit, len(reached)), _epochs(rule, findings.target), each))
        sweep.append((name, *(_heat(rule, target, findings) for target in range(len(measure.targets)))))
    fixed_columns = [Column("rule", "rule"), Column("reached"), Column("epochs, median"), Column("by seed", "few")]
    sweep_columns = [
        Column(measure.target_text(target), "heat fixed" if target == measure.target else "heat")
        for target in measure.targets
    ]
    return (
        table(fixed_columns, fixed, f"Epochs to {measure.goal}, fixed beforehand"),
        table([Column("rule", "rule"), *sweep_columns], sweep, "Median epochs to each target of the sweep", "sweep"),
    )


def _heat(rule: RuleResult, target: int, findings: Findings) -> Markup:
    """A cell of the sweep: the darker, the sooner; `k of n` where a seed missed."""
    reached = rule.epochs(target)
    median = median_epoch(reached)
    hit = sum(epoch is not None for epoch in reached)
    share = 0.0 if median is None else 1 - median / (findings.epochs + 1)
    words = "never" if median is None else str(median)
    some = el("span", formats.of(hit, len(reached)), class_="sub") if hit < len(reached) else None
    return el("span", words, some, class_="cell", style=f"--share:{100 * share:.0f}%")


def zones(findings: Findings, styles: Mapping[str, Style]) -> Markup:
    """Width and ends of each rule's good zone."""
    rows: list[Sequence[Child]] = [
        (
            rule_name(rule, styles[rule.rule]),
            _zone(rule),
        )
        for rule in findings.rules
    ]
    columns = [Column("rule", "rule"), Column("good zone")]
    return table(columns, rows, "The same in numbers", "plain")


def pairs(findings: Findings) -> Markup:
    """All pairs of rules with their differences and tests."""
    scale = strips.difference_scale(findings.pairs)
    measure = findings.measure
    rows: list[Sequence[Child]] = [
        (
            f"{findings.by_name(pair.a).title} − {findings.by_name(pair.b).title}",
            measure.difference_text(pair.difference) if pair.finished else "a run diverged",
            strips.difference_strip(pair, scale, measure),
            formats.number(pair.p),
            formats.number(pair.p_holm),
            "different" if pair.differs else "cannot tell",
        )
        for pair in findings.pairs
    ]
    columns = [
        Column("pair", "rule"),
        Column("difference", note="mean, paired by seed"),
        Column("each seed, and the mean", "picture wide"),
        Column("exact p"),
        Column("Holm’s p"),
        Column(f"at {findings.level:.0%}"),
    ]
    return table(columns, rows, f"{formats.plural(len(findings.pairs), 'pair')} of rules", "cards pairs")


def cost(findings: Findings, styles: Mapping[str, Style]) -> Markup:
    """The time of an update, and of all updates up to the target."""
    steps = findings.steps_per_epoch
    rows: list[Sequence[Child]] = []
    for rule in findings.rules:
        epochs = median_epoch(rule.epochs(findings.target))
        spread = rule.step
        span = f"{formats.duration(spread.low)} to {formats.duration(spread.high)}" if spread else "not measured"
        rows.append(
            (
                rule_name(rule, styles[rule.rule]),
                formats.duration(spread.centre) if spread else "not measured",
                span,
                "never" if epochs is None else str(epochs * steps),
                "never" if epochs is None else formats.duration(epochs * steps * spread.centre) if spread else "?",
            )
        )
    repeats = next((rule.step.n for rule in findings.rules if rule.step), 0)
    columns = [
        Column("rule", "rule"),
        Column("time a step", note=f"median of {repeats}" if repeats else None),
        Column("range", note=f"of {repeats}" if repeats else None),
        Column("steps to target"),
        Column("updates to target", note="steps × time a step"),
    ]
    return table(columns, rows, "Cost of the update alone, without the gradient", "cards narrow")


def failures(findings: Findings, styles: Mapping[str, Style]) -> Markup:
    """Every diverged run, a row for each rule and rate."""
    rows: list[Sequence[Child]] = [
        (
            rule_name(rule, styles[rule.rule]),
            formats.number(rate.lr),
            [el("div", f"seed {s.seed}: {s.stopped}") for s in rate.seeds if s.status == "diverged"],
        )
        for rule in findings.rules
        for rate in rule.rates
        if rate.count("diverged")
    ]
    columns = [Column("rule", "rule"), Column("rate"), Column("where and why each run stopped", "words")]
    return table(columns, rows, f"{formats.of(findings.diverged, findings.declared - findings.missing)} runs diverged")


def house_rules(checks: Sequence[Check]) -> Markup:
    """Every rule of the house, met or not, with the reason."""
    marks = {"met": "✓", "not met": "✗", "does not apply": "–"}
    return el(
        "ul",
        [
            el(
                "li",
                el("span", marks[check.status], class_="mark", aria_hidden="true"),
                el("span", el("strong", check.rule), el("em", check.status), " ", check.why),
                class_=check.status.replace(" ", "-"),
            )
            for check in checks
        ],
        class_="checks",
    )


def _rate(rule: RuleResult) -> Child:
    return "none" if rule.best is None else [formats.number(rule.best.lr), " ", edge_flag(rule)]


def _zone(rule: RuleResult) -> Child:
    if rule.zone is None or rule.zone.low == rule.zone.high:
        return zone_text(rule.zone)
    span = el("span", f"{formats.number(rule.zone.low)} to {formats.number(rule.zone.high)}", class_="sub")
    return el("span", zone_text(rule.zone), " ", span, class_="stack")


def _result(rule: RuleResult, findings: Findings) -> Child:
    measure = findings.measure
    if rule.test is None:
        return "no run finished"
    span = el("span", unbroken(measure.range_text(rule.test)), class_="sub") if rule.test.n > 1 else None
    return el("span", el("strong", measure.text(rule.test.centre)), " ", span, class_="stack")


def _epochs(rule: RuleResult, target: int) -> Child:
    """The median, and below it how many seeds never got there."""
    reached = rule.epochs(target)
    missed = sum(epoch is None for epoch in reached)
    if not reached:
        return "–"
    median = median_epoch(reached)
    words = formats.of(missed, len(reached)) if median is None else f"{missed} never"
    note = el("span", words, class_="sub") if missed else None
    return el("span", "never" if median is None else str(median), " ", note, class_="stack")
