"""Rules of the house: what an honest comparison needs, each one checked and printed whether or not it is met."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from thalweg.lab import formats
from thalweg.lab.results import Findings
from thalweg.lab.statistics import EXACT_LIMIT

EVERY_SEED = 10
"""Below this many seeds every one of them is drawn."""

Status = Literal["met", "not met", "does not apply"]


@dataclass(frozen=True, slots=True)
class Check:
    """One rule of the house, and why it is met or not."""

    rule: str
    status: Status
    why: str


def checks(findings: Findings) -> tuple[Check, ...]:
    """All rules of the house, in their fixed order."""
    return (
        _budget(findings),
        _names(findings),
        _spaces(findings),
        _edges(findings),
        _seeds(findings),
        _parts(findings),
        _target(findings),
        _misses(findings),
        _diverged(findings),
        _units(findings),
        _timing(findings),
        _visible(findings),
        _bands(findings),
        _test(findings),
        _enough(findings),
    )


def _check(rule: str, met: bool, why: str) -> Check:
    return Check(rule, "met" if met else "not met", why)


def _budget(findings: Findings) -> Check:
    sizes = {len(rule.rates) for rule in findings.rules}
    each = f"{formats.listing([str(size) for size in sorted(sizes)])} learning rates"
    seeds = formats.plural(len(findings.seeds), "seed")
    return _check(
        "Equal declared budget for each rule",
        len(sizes) == 1 and not findings.missing,
        f"{each}, {seeds} and {findings.epochs} epochs each"
        + (f"; {findings.missing} of {findings.declared} runs are missing." if findings.missing else "."),
    )


def _names(findings: Findings) -> Check:
    names = formats.listing([rule.name for rule in findings.rules])
    return _check("The tuned subset is part of the name", all(rule.tuned for rule in findings.rules), f"{names}.")


def _spaces(findings: Findings) -> Check:
    return _check("The search space is printed", bool(findings.rules), "Every rate tried is in the protocol.")


def _edges(findings: Findings) -> Check:
    on_edge = [rule.title for rule in findings.rules if rule.edge]
    why = f"On the edge: {formats.listing(on_edge)}." if on_edge else "Every best rate has worse ones on both sides."
    return _check("No best value on the edge of its range", not on_edge, why)


def _seeds(findings: Findings) -> Check:
    rule = "Tuning seeds differ from evaluation seeds"
    if all(len(result.rates) == 1 for result in findings.rules):
        return Check(rule, "does not apply", "Nothing was tuned: one rate for each rule.")
    seeds = formats.listing([str(seed) for seed in findings.seeds])
    return Check(rule, "not met", f"Seeds {seeds} did both: they chose the rates and gave the results.")


def _parts(findings: Findings) -> Check:
    rule = "Validation chooses, test reports"
    if not findings.measure.held_out:
        why = f"{findings.title} has no data to hold out: the number that chose the rate is the number reported."
        return Check(rule, "does not apply", why)
    return Check(rule, "met", "Rates and epochs to the target are read on validation data, results on test data.")


def _target(findings: Findings) -> Check:
    measure = findings.measure
    sweep = ", ".join(measure.target_text(target) for target in measure.targets)
    return _check(
        "The target is fixed before looking, with a sweep beside it",
        len(measure.targets) > 1,
        f"{measure.target_text(measure.target)} belongs to the problem, not to this study; the sweep is {sweep}.",
    )


def _misses(findings: Findings) -> Check:
    best = [epoch for rule in findings.rules for epoch in rule.epochs(findings.target)]
    missed = sum(epoch is None for epoch in best)
    why = f"{formats.of(missed, len(best))} runs at the best rates never reach the target, and count as infinity."
    return Check("A miss is infinity, and is counted", "met", why)


def _diverged(findings: Findings) -> Check:
    done = findings.declared - findings.missing
    why = f"{formats.of(findings.diverged, done)} runs diverged; all are listed, drawn, and ranked below any number."
    return Check("Diverged runs are never dropped", "met", why)


def _units(findings: Findings) -> Check:
    timed = all(rule.step for rule in findings.rules)
    why = "Epochs to the target, and seconds of a step." if timed else "Epochs only: the time of a step is not known."
    return _check("Cost in at least two units", timed, why)


def _timing(findings: Findings) -> Check:
    rule = "Timings are measured alone, or marked"
    if all(result.step for result in findings.rules):
        return Check(rule, "met", "Updates were timed after the runs, alone, the rules taking turns.")
    return Check(rule, "met", "Nothing was timed alone, so times are marked as not comparable.")


def _visible(findings: Findings) -> Check:
    rule = f"Every seed is visible when there are fewer than {formats.numeral(EVERY_SEED)}"
    return Check(rule, "met", f"{formats.plural(len(findings.seeds), 'seed')}: every one has its own line or mark.")


def _bands(findings: Findings) -> Check:
    return Check(
        "Ranges carry their name", "met", f"Ranges are ranges of {formats.plural(len(findings.seeds), 'seed')}."
    )


def _test(findings: Findings) -> Check:
    rule = "The claim comes from the exact paired sign-flip test with Holm's correction"
    if not findings.pairs:
        return Check(rule, "does not apply", "There is no pair of rules to compare.")
    if findings.paired_seeds > EXACT_LIMIT:
        why = f"With more than {EXACT_LIMIT} seeds p is counted over a fixed sample of signs: as safe, but not exact."
        return Check(rule, "not met", why)
    pairs = formats.plural(len(findings.pairs), "pair")
    return Check(rule, "met", f"{pairs}, paired by seed, at the {findings.level:.0%} level together.")


def _enough(findings: Findings) -> Check:
    rule = "With too few seeds to tell, the verdict says so"
    if findings.seeds_needed is None:
        return Check(rule, "does not apply", "There is no pair of rules to compare.")
    have = f"{formats.plural(findings.paired_seeds, 'seed')}; {findings.seeds_needed} needed"
    return Check(
        rule, "met", f"{have}: the verdict {'says so' if findings.too_few_seeds else 'may claim a difference'}."
    )
