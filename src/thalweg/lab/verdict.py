"""The findings in plain words: what was found, how sure it is, and what a reader must know before believing it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from thalweg.lab import formats
from thalweg.lab.results import Findings, RuleResult, median_epoch


@dataclass(frozen=True, slots=True)
class Verdict:
    """`headline` stands alone: it says what was found and how sure it is. `sentences` give the reasons."""

    headline: str
    sentences: tuple[str, ...]

    @property
    def text(self) -> str:
        """All of it."""
        return " ".join((self.headline, *self.sentences))


def verdict(findings: Findings) -> Verdict:
    """The verdict of a comparison."""
    if findings.missing == findings.declared:
        return Verdict("No run has finished yet, so there is nothing to compare.", ())
    leader = findings.rules[0]
    if leader.test is None:
        return Verdict("No rule finished a single run: all of them diverged at every learning rate tried.", ())
    reasons = [_leader(findings, leader), _last(findings), _claim(findings), _speed(findings)]
    return Verdict(_headline(findings, leader), tuple(reason for reason in reasons if reason))


def _headline(findings: Findings, leader: RuleResult) -> str:
    where, result = f"on the {findings.problem}", _result(findings, leader)
    if not findings.pairs:
        return f"{leader.title} alone was tried {where}, with {result}: there is no other rule to compare it with."
    first = [rule.title for rule in findings.rules if _rank_equal(rule, leader)]
    place = "came first" if len(first) == 1 else "share first place"
    came = f"{formats.listing(first)} {place} {where} with {result}"
    if findings.too_few_seeds:
        return f"{came}, but there are too few seeds to tell ({findings.paired_seeds}; {findings.seeds_needed} needed)."
    beaten = [pair.b for pair in findings.pairs if pair.a == leader.rule and pair.differs and pair.difference > 0]
    others = [pair.b for pair in findings.pairs if pair.a == leader.rule and pair.b not in beaten]
    sure = f"{formats.plural(findings.paired_seeds, 'seed')}, {findings.level:.0%} level"
    if not beaten:
        return f"{came}, but the others cannot be told apart from it ({sure})."
    if not others:
        count = len(findings.rules) - 1
        every = "the other rule" if count == 1 else f"each of the other {formats.numeral(count)} rules"
        return f"{leader.title} is better than {every} {where} ({sure})."
    return (
        f"{leader.title} is better than {_titles(findings, beaten)} {where}, and cannot be told apart from "
        f"{_titles(findings, others)} ({sure})."
    )


def _leader(findings: Findings, leader: RuleResult) -> str:
    measure, best = findings.measure, leader.best
    if leader.test is None or best is None:
        return ""
    text = f"{leader.title}'s {measure.text(leader.test.centre)} is "
    if leader.test.n > 1:
        text += f"the {measure.average} of {leader.test.n} seeds (range {measure.range_text(leader.test)})"
    else:
        text += "of one seed"
    text += f" at learning rate {formats.number(best.lr)}"
    if len(leader.rates) > 1:
        count = formats.numeral(len(leader.rates))
        text += f", which validation data chose among {count}" if measure.held_out else f", the best of {count} tried"
    lost = best.count("diverged")
    return f"{text}." + (f" There {formats.of(lost, len(best.seeds))} seeds diverged." if lost else "")


def _last(findings: Findings) -> str:
    last = findings.rules[-1]
    if len(findings.rules) == 1:
        return ""
    if last.test is None:
        return f"{last.title} did not finish a single run."
    count, result = formats.numeral(len(findings.rules)), findings.measure.spread_text(last.test)
    return f"The last of the {count}, {last.title}, ends at {result}."


def _claim(findings: Findings) -> str:
    if not findings.pairs:
        return ""
    total = len(findings.pairs)
    pairs = "the one pair of rules" if total == 1 else f"{formats.numeral(total)} pairs of rules"
    test = "the exact paired sign-flip test" + ("" if total == 1 else " with Holm's correction")
    if findings.too_few_seeds:
        return (
            f"For {pairs}, {test} needs {findings.seeds_needed} seeds before any difference can count as real, so with "
            f"{findings.paired_seeds} the order is what happened, not a finding."
        )
    different = sum(pair.differs for pair in findings.pairs)
    return f"Of {pairs}, {formats.numeral(different)} can be told apart by {test}."


def _speed(findings: Findings) -> str:
    measure = findings.measure
    medians = [(median_epoch(rule.epochs(findings.target)), rule.title) for rule in findings.rules if rule.best]
    reached = [(epoch, title) for epoch, title in medians if epoch is not None]
    target = f"the target, {measure.goal},"
    if not reached:
        return f"No rule reaches {target} in {findings.epochs} epochs."
    fewest = min(reached)[0]
    fastest = [title for epoch, title in reached if epoch == fewest]
    verb = "reaches" if len(fastest) == 1 else "reach"
    after = formats.plural(fewest, "epoch")
    if len(fastest) == len(findings.rules):
        return (
            f"All of them reach {target} after {after}." if len(fastest) > 1 else f"It reaches {target} after {after}."
        )
    return f"{formats.listing(fastest)} {verb} {target} first, after {after}."


def warnings(findings: Findings) -> tuple[str, ...]:
    """What makes the numbers weaker than they look, most serious first."""
    found = [_incomplete(findings), *_edges(findings), *_lost(findings), _same_seeds(findings)]
    if len(findings.seeds) == 1:
        found.append("One seed shows no spread at all: what differs between two rules may be luck.")
    if len(findings.versions) > 1:
        found.append(f"The runs are of different versions of thalweg: {formats.listing(findings.versions)}.")
    if len(findings.machines) > 1:
        found.append("The runs were done on different machines; their numbers may differ in the last digits.")
    if any(rule.step is None for rule in findings.rules):
        found.append("Not every rule's time a step was measured alone, so times are not comparable.")
    return tuple(warning for warning in found if warning)


def _incomplete(findings: Findings) -> str:
    if not findings.missing:
        return ""
    done = formats.of(findings.declared - findings.missing, findings.declared)
    return f"Not complete: {done} runs are done. The same command resumes."


def _edges(findings: Findings) -> list[str]:
    found = []
    for rule in findings.rules:
        if rule.best is None or rule.edge is None:
            continue
        rate = formats.number(rule.best.lr)
        if rule.edge == "only":
            found.append(f"{rule.title} was tried at one learning rate, {rate}: it is not tuned.")
        else:
            side = "higher" if rule.edge == "highest" else "lower"
            found.append(
                f"{rule.title}'s best rate, {rate}, is the {rule.edge} of its range: a {side} one may be better still. "
                f"Extend the range with --lrs."
            )
    return found


def _lost(findings: Findings) -> list[str]:
    return [
        f"{rule.title} diverges at its own best rate: {formats.of(lost, len(rule.best.seeds))} seeds. "
        "Its average is over the rest."
        for rule in findings.rules
        if rule.best and (lost := rule.best.count("diverged"))
    ]


def _same_seeds(findings: Findings) -> str:
    if all(len(rule.rates) == 1 for rule in findings.rules):
        return ""
    return (
        "The seeds that chose the learning rates also gave the results, so the results flatter every rule a little, "
        "those with a sharp optimum most."
    )


def _rank_equal(rule: RuleResult, leader: RuleResult) -> bool:
    if rule.test is None or leader.test is None or rule.best is None or leader.best is None:
        return False
    return rule.test.centre == leader.test.centre and rule.best.count("ok") == leader.best.count("ok")


def _result(findings: Findings, rule: RuleResult) -> str:
    """`a test accuracy of 0.963`, `f(x, y) = 7.22e-4`."""
    if rule.test is None:
        return "no result"
    text = findings.measure.text(rule.test.centre)
    return (
        f"a test {findings.measure.title} of {text}"
        if findings.measure.held_out
        else f"{findings.measure.title} = {text}"
    )


def _titles(findings: Findings, names: Sequence[str]) -> str:
    return formats.listing([findings.by_name(name).title for name in names])
