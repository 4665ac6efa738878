"""The sections of the page, in its fixed order. Each is a function of the findings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from thalweg.lab import formats
from thalweg.lab.results import Findings, RuleResult
from thalweg.lab.run import DIVERGED_FACTOR
from thalweg.lab.summary import Summary
from thalweg.report import sensitivity as rates
from thalweg.report import tables
from thalweg.report.markup import Child, Markup, el, unbroken
from thalweg.report.style import Style

Styles = Mapping[str, Style]

CONTENTS = {
    "protocol": "Protocol",
    "curves": "Learning curves",
    "rates": "Learning rates",
    "targets": "Time to target",
    "pairs": "Pairs",
    "cost": "Cost",
    "failures": "Failures",
    "house": "House rules",
    "reading": "How to read and repeat it",
}
"""Section -> heading, in the order of the page, after the verdict."""


def masthead(summary: Summary) -> Markup:
    """What this is, the first sentence of the verdict, and where to find the rest."""
    found = summary.findings
    facts = [
        formats.plural(len(found.rules), "rule"),
        formats.plural(max(len(rule.rates) for rule in found.rules), "learning rate"),
        formats.plural(len(found.seeds), "seed"),
        f"{found.declared - found.missing} runs of {formats.plural(found.epochs, 'epoch')}",
        *([found.finished[:10]] if found.finished else []),
    ]
    links = [el("a", words, href=f"#{name}") for name, words in CONTENTS.items()]
    return el(
        "header",
        el("p", el("b", "thalweg compare"), f" · {found.title} · ", " · ".join(facts), class_="over"),
        el("h1", unbroken(summary.verdict.headline)),
        el("nav", links, aria_label="Contents"),
    )


def verdict(summary: Summary, styles: Styles) -> Markup:
    """The rest of the verdict and the warnings, the ranking beside them."""
    reasons = [el("p", unbroken(sentence)) for sentence in summary.verdict.sentences]
    warnings = [el("li", unbroken(warning)) for warning in summary.warnings]
    box = el(
        "aside",
        el("h2", "Read with care" if warnings else "No warnings"),
        el("ul", warnings) if warnings else None,
        class_="warnings",
    )
    words = el("div", reasons, box, class_="words")
    return el("section", el("div", words, tables.ranking(summary.findings, styles), class_="verdict"), id="verdict")


def protocol(found: Findings, styles: Styles) -> Markup:
    """What was compared, and how: all that was fixed before a run."""
    measure = found.measure
    seeds = formats.listing([str(seed) for seed in found.seeds])
    sweep = ", ".join(measure.target_text(target) for target in measure.targets)
    chosen = "on validation data, reported on test data" if measure.held_out else "by the number that is reported"
    decides = "initial weights and batches" if measure.held_out else "the start"
    facts: list[tuple[str, Child]] = [
        ("Problem", found.description),
        ("Budget", _budget(found)),
        ("Seeds", f"{seeds}: {decides}, alike for every rule"),
        ("Best rate", f"chosen {chosen}, by the {measure.average} of the seeds after the last epoch"),
        ("Target", f"{measure.goal}, fixed beforehand; sweep {sweep}"),
        ("Units", "epochs and steps; seconds of one update, measured alone"),
        ("Machine", [el("div", machine) for machine in found.machines] or "no run yet"),
        ("Version", f"thalweg {formats.listing(found.versions)}" if found.versions else "no run yet"),
        ("Command", el("code", found.command)),
    ]
    return _section("protocol", _facts(facts), tables.spaces(found, styles))


def curves(found: Findings, styles: Styles, together: Sequence[Markup], alone: Sequence[Markup]) -> Markup:
    """Learning curves: all medians together, then rule by rule with every seed."""
    measure = found.measure
    scale = (
        "The scale is logarithmic."
        if measure.logarithmic
        else "The scale of accuracies is that of the error: from 0.8 to 0.9 it halves, and from 0.98 to 0.99 again."
    )
    words = [
        _prose(
            f"Each rule at its best rate, {formats.plural(len(found.seeds), 'seed')}:",
            "every seed is a thin line, the median of the seeds the thick one with marks.",
            "A cross is where a run diverged. Behind each rule, in grey, the medians of the others.",
        ),
        _prose(
            f"Read {'on validation data ' if measure.held_out else ''}after each epoch;",
            f"epoch 0 is before training. {scale}",
        ),
    ]
    overview = [_panel([el("h3", "All rules, medians")], picture) for picture in together]
    shown = [(rule, rule.best) for rule in found.rules if rule.best]
    panels = [
        _panel([_name(rule, styles), el("span", f"rate {formats.number(best.lr)}", class_="aside")], picture)
        for (rule, best), picture in zip(shown, alone, strict=True)
    ]
    return _section("curves", el("div", el("div", words, class_="panel"), overview, panels, class_="panels"))


def sensitivity(found: Findings, styles: Styles) -> Markup:
    """Learning-rate sensitivity: where each rule works, then rule by rule with every run."""
    words = [
        _prose(
            "How much does the learning rate matter?",
            "For every rate, each seed's result after the last epoch is a dot, their median a mark;",
            "the best rate has the large one. The bracket under a panel is the range searched.",
        ),
        _prose(
            f"A rate is good if every seed ends at the target, {found.measure.goal}, or better.",
            "Where a run diverged the ground is tinted, and each diverged run is a cross.",
        ),
    ]
    overview = _panel([el("h3", "Where each rule works")], rates.zones(found, styles))
    numbers = el("div", tables.zones(found, styles), class_="panel")
    pictures = rates.sensitivity(found, styles)
    panels = [
        _panel([_name(rule, styles), _best(rule)], picture) for rule, picture in zip(found.rules, pictures, strict=True)
    ]
    return _section("rates", el("div", el("div", words, class_="panel"), overview, numbers, panels, class_="panels"))


def targets(found: Findings, styles: Styles) -> Markup:
    """Epochs to the target, and to every target of the sweep."""
    fixed, sweep = tables.targets(found, styles)
    words = _prose(
        "The first epoch after which the metric is as good as the target, at each rule's best rate.",
        "A seed that never gets there counts as infinity, and a median of infinity is “never”.",
        "Of an even number of seeds the upper middle one is taken.",
    )
    return _section("targets", words, el("div", fixed, sweep, class_="two"))


def pairs(found: Findings) -> Markup:
    """Which rules can be told apart."""
    if not found.pairs:
        return _section("pairs", _prose("There is no pair of rules to compare."))
    smallest = formats.number(min(1.0, 2.0 ** (1 - found.paired_seeds)))
    words = _prose(
        "Two rules meet seed by seed, each at its best rate.",
        "p is the share of all ways to flip the signs of the differences that give a mean at least as far from zero.",
        f"Holm's correction lets {formats.plural(len(found.pairs), 'test')} share one level of {found.level:.0%}.",
        f"With {formats.plural(found.paired_seeds, 'seed')} the smallest possible p is {smallest};",
        f"any claim needs at least {found.seeds_needed} seeds.",
    )
    return _section("pairs", words, tables.pairs(found))


def cost(found: Findings, styles: Styles) -> Markup:
    """What an update costs, and what the way to the target costs in updates."""
    if any(rule.step is None for rule in found.rules):
        words = _prose("Not every rule was timed alone: times are not comparable.")
    else:
        numbers = next((rule.params for rule in found.rules if rule.params), None)
        words = _prose(
            f"One update of all {numbers:,} parameters," if numbers else "One update of all parameters,",
            "timed after the runs, alone, the rules taking turns:",
            "comparable with each other on this machine, not with other machines.",
        )
    return _section("cost", words, tables.cost(found, styles))


def failures(found: Findings, styles: Styles) -> Markup:
    """Every diverged run."""
    if not found.diverged:
        return _section("failures", _prose("No run diverged."))
    when = "after an epoch" if found.steps_per_epoch > 1 else "in the end"
    words = _prose(
        "A run has diverged when its loss or a gradient is no longer a finite number,",
        f"or when its training loss {when} is above {DIVERGED_FACTOR:g} times what it began with.",
        "Here are all of them.",
    )
    return _section("failures", words, tables.failures(found, styles))


def house(summary: Summary) -> Markup:
    """The rules of an honest comparison, and whether this one keeps them."""
    return _section("house", tables.house_rules(summary.checks))


def reading(found: Findings) -> Markup:
    """How to read the page, how to do it again, and where the data are from."""
    chosen = (
        ("The rate with the best mean on validation data;", "the result is read on test data, which had no part in it.")
        if found.measure.held_out
        else ("There is no data to hold out:", "the rate with the best result, and that result is shown.")
    )
    notes = [
        (
            "Seeds",
            "A seed fixes all chance in a run.",
            "Two rules with the same seed start alike and see the same batches, so they are compared seed by seed.",
            "Ranges are ranges of the seeds, from the lowest to the highest.",
        ),
        ("Best rate", *chosen, "A rate at which a run diverged comes after every rate at which none did."),
        (
            "Good zone",
            "The longest stretch of neighbouring rates at which every seed ends at the target or better.",
            "It is at least as wide as shown: between two rates, nothing was tried.",
        ),
        (
            "Certainty",
            "A difference counts as real when the exact paired sign-flip test says so,",
            "with Holm's correction for the number of pairs.",
            "Without enough seeds it cannot, however large the difference looks.",
        ),
    ]
    return _section(
        "reading",
        _facts((name, " ".join(sentences)) for name, *sentences in notes),
        el("h3", "Repeat it"),
        el("pre", el("code", found.command), tabindex="0"),
        _prose(
            "The same command in the same folder resumes where it was stopped,",
            "and draws this page again from the records: one file a run, in the folder `records`.",
        ),
        el("h3", "Data"),
        _prose(found.description),
    )


def _budget(found: Findings) -> str:
    batches = f"batches of {found.batch_size}, " if found.batch_size else ""
    return (
        f"{formats.plural(max(len(rule.rates) for rule in found.rules), 'learning rate')} × "
        f"{formats.plural(len(found.seeds), 'seed')} for each rule; {formats.plural(found.epochs, 'epoch')} of "
        f"{formats.plural(found.steps_per_epoch, 'step')}, {batches}{formats.plural(found.declared, 'run')} in all"
    )


def _best(rule: RuleResult) -> Markup:
    if rule.best is None:
        return el("span", "no run finished", class_="aside")
    return el("span", f"best {formats.number(rule.best.lr)} ", tables.edge_flag(rule), class_="aside")


def _name(rule: RuleResult, styles: Styles) -> Markup:
    return el("h3", tables.rule_name(rule, styles[rule.rule]))


def _facts(facts: Iterable[tuple[str, Child]]) -> Markup:
    return el("dl", [el("div", el("dt", name), el("dd", value)) for name, value in facts], class_="facts")


def _prose(*sentences: str) -> Markup:
    return el("p", " ".join(sentences), class_="measure")


def _section(name: str, *children: Child) -> Markup:
    return el("section", el("h2", CONTENTS[name]), *children, id=name)


def _panel(heading: Sequence[Child], picture: Markup) -> Markup:
    return el("figure", el("figcaption", heading), picture, class_="panel")
