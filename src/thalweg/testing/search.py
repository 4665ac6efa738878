"""Which rule fits a recording: every rule in every convention, then every rule with a slip."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from thalweg.rule import Rule
from thalweg.rules import RULES
from thalweg.testing.mutations import Mutation, mutations
from thalweg.testing.numbers import Choice, choices
from thalweg.testing.replay import PLAIN, Fit, Timing, replay
from thalweg.testing.subject import Recording

_USUAL = ("sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam")
_FORMS_LOOKED_INTO = 12
"""How many of the nearest forms are looked into for a slip."""
_BEGINNING = 20
"""How many steps tell which slips come nearest."""
_BEAM = 6
"""How many of the best slips are tried with a second one."""
_PATIENCE = 5.0
"""For how many seconds of computing a second slip of one form is looked for."""
_LIKELY = 16
"""With how many choices of numbers a slip is tried."""
_SMALL_EPS = 1e-5
"""What eps has to be at most, so that only small gradients show it."""
_HINT = 0.15
"""How much nearer, of 1, a rule counts whose name the class bears."""
_KNOWN = 0.1
"""And how much, one that everybody writes."""

Played = tuple[str, tuple[tuple[str, str | float], ...]]
"""A text by its digest, and where its numbers come from."""


@dataclass(frozen=True)
class Match:
    """A rule beside a recording: with which numbers, and how well it fits."""

    rule: Rule
    choice: Choice
    fit: Fit

    @property
    def lasts(self) -> float:
        """The step before which it fits; infinite if it fits throughout."""
        return float("inf") if self.fit.parting is None else self.fit.parting.step

    @property
    def zeros(self) -> frozenset[str]:
        """The numbers that nothing speaks of and that are zero: what the rule is without them is easier to read."""
        return frozenset(k for k, x in self.choice.fitted.items() if x == 0 == self.rule.defaults.get(k))

    @property
    def unusual(self) -> int:
        """How many numbers were found by trying and are no default of the rule."""
        return sum(self.rule.defaults.get(k) != x for k, x in self.choice.fitted.items())


@dataclass(frozen=True)
class Explained:
    """A slip that explains a recording; base: how the right rule fits."""

    mutation: Mutation
    match: Match
    base: Match


@dataclass(frozen=True)
class Evidence:
    """A recording with what is known of its optimizer: numbers that were given or are written in it, and its name."""

    recording: Recording
    given: Mapping[str, float]
    literals: Sequence[float]
    title: str

    def numbers_of(self, rule: Rule) -> Iterator[Choice]:
        """Yield what the hyper-parameters of a rule may be, most credible first."""
        return choices(rule, self.recording.read[0], self.given, self.literals)

    def is_named_after(self, rule: Rule) -> bool:
        """Tell whether the class bears the name of a rule."""
        longer = [name for name in RULES if rule.name in name and rule.name != name]
        title = self.title.lower().replace("_", "")
        return rule.name in title and not any(name in title for name in longer)


def all_forms() -> list[Rule]:
    """Return every rule in every convention, the default one first."""
    found = []
    for rule in RULES.values():
        found += [rule, *(form for form in rule.conventions.values() if form is not rule)]
    return found


def by_likelihood(evidence: Evidence) -> tuple[list[Rule], list[Rule]]:
    """Return the forms looked at first, of the six that everybody writes and of a class's own name; and the rest."""
    forms = all_forms()
    likely = [form for form in forms if form.name in _USUAL or evidence.is_named_after(form)]
    return likely, [form for form in forms if form not in likely]


def matches(evidence: Evidence, forms: Sequence[Rule]) -> list[Match]:
    """Return how well each form fits, with the numbers that fit best; forms that cannot be played are left out."""
    found: list[Match] = []
    played: dict[Played, Fit | None] = {}
    for rule in forms:
        best = _best(evidence, rule, evidence.numbers_of(rule), played=played)
        if best is not None:
            found.append(best)
    return found


def best_of(found: Sequence[Match]) -> list[Match]:
    """Return the matches that nothing tells apart: those equal to the last bit, else those equal up to rounding.

    A number that stands nowhere in the object speaks for the form that has it as its default.
    """
    agreeing = _without_wider([m for m in found if m.fit.agrees])
    best = [m for m in agreeing if m.fit.exact] or sorted(agreeing, key=lambda m: m.fit.worst)
    return [m for m in best if not m.unusual] or best


def _without_wider(found: list[Match]) -> list[Match]:
    """Return matches without rules that contain another one which agrees as well: AdamW, with a decay of nothing."""
    by_name = {f"{m.rule.name}[{m.rule.convention_name}]": m for m in found}

    def is_wider(m: Match) -> bool:
        contained = [by_name[other] for other in m.rule.contains if other in by_name]
        return any(other.fit.exact or not m.fit.exact for other in contained)

    return [m for m in found if not is_wider(m)]


def by_nearness(evidence: Evidence, found: Sequence[Match]) -> list[Match]:
    """Return matches from the nearest to the farthest, by how unlike their steps are at the beginning."""
    beginning, played = evidence.recording.up_to(_BEGINNING), []
    for match in found:
        fit = replay(match.rule, match.choice, beginning, whole=True)
        if fit is not None:
            played.append(replace(match, fit=replace(match.fit, apart=fit.apart, unlike=fit.unlike)))

    def distance(m: Match) -> float:
        return m.fit.unlike - _HINT * evidence.is_named_after(m.rule) - _KNOWN * (m.rule.name in _USUAL)

    return sorted(played, key=distance)


def explanation(evidence: Evidence, nearest: Sequence[Match]) -> Explained | None:
    """Return the most credible slip that explains the recording: first of the rule that the class is named after.

    A slip that explains every bit, of a form with its usual numbers, ends the search.
    """
    digests = [m.rule.digest for m in nearest]
    once = [m for i, m in enumerate(nearest) if m.rule.digest not in digests[:i]]
    named = [m for m in once if evidence.is_named_after(m.rule)]
    others = [m for m in once if m not in named][:_FORMS_LOOKED_INTO]
    usual = [m for m in once if m.rule.name in _USUAL]
    for forms in (named, others):
        found: list[tuple[tuple[bool, int, int, int], Explained]] = []
        for position, base in enumerate(forms):
            for mutation in mutations(base.rule, base.zeros):
                match = _best_with(evidence, mutation)
                # A later rule with a slip and with guessed numbers explains too much.
                if match is not None and match.fit.agrees and (match.fit.exact or forms is named or base in usual):
                    key = not match.fit.exact, match.unusual, mutation.rank, position
                    found.append((key, Explained(mutation, match, base)))
            if any(key[:2] == (False, 0) for key, _ in found):
                break
        if found:
            best = min(found, key=lambda pair: pair[0])[1]
            return replace(best, base=_with_numbers(evidence, best.base, best.match.choice))
    return None


def double_explanation(evidence: Evidence, nearest: Sequence[Match]) -> Explained | None:
    """Return two slips of one of the nearest forms that together explain the recording; None also if it takes long."""
    closest = sorted(nearest, key=lambda m: m.fit.apart - _HINT * evidence.is_named_after(m.rule))
    # Two slips may come nearest to a form that nobody meant: the usual one of that rule is looked into as well.
    usual = [m for m in nearest if m.rule is RULES[nearest[0].rule.name]]
    for match in {m.rule.digest: m for m in (*usual[:1], *closest[:1], *nearest[:1])}.values():
        found = _two_slips(evidence, match, time.process_time() + _PATIENCE)
        if found is not None:
            return found
    return None


def _two_slips(evidence: Evidence, nearest: Match, deadline: float) -> Explained | None:
    beginning = evidence.recording.up_to(_BEGINNING)
    first: list[tuple[float, Mutation]] = []
    for mutation in mutations(nearest.rule, nearest.zeros):
        if mutation.rule is not None:
            fit = replay(mutation.rule, nearest.choice, beginning, mutation.timing, whole=True)
            if fit is not None and fit.apart <= 1.0:
                first.append((fit.apart, mutation))
    for _, one in sorted(first, key=lambda pair: pair[0])[:_BEAM]:
        assert one.rule is not None
        for other in mutations(one.rule):
            if time.process_time() > deadline:
                return None
            if one.timing is not PLAIN and other.timing is not PLAIN:
                continue
            timing = other.timing if one.timing is PLAIN else one.timing
            both = replace(other, words=f"{one.words} and {other.words}", timing=timing, right=one.right)
            fit = None if both.rule is None else replay(both.rule, nearest.choice, evidence.recording, timing)
            if fit is not None and fit.agrees:
                return Explained(replace(both, of=nearest.rule), replace(nearest, fit=fit), nearest)
    return None


def _best_with(evidence: Evidence, mutation: Mutation) -> Match | None:
    if mutation.rule is None:
        return None
    return _best(evidence, mutation.rule, islice(evidence.numbers_of(mutation.of), _LIKELY), mutation.timing)


def _best(
    evidence: Evidence,
    rule: Rule,
    numbers: Iterable[Choice],
    timing: Timing = PLAIN,
    played: dict[Played, Fit | None] | None = None,
) -> Match | None:
    """Return how a rule fits with the first numbers that agree, else with those that last longest.

    played: what is known of texts and numbers, since conventions may share both.
    """
    played = {} if played is None else played
    best: Match | None = None
    hopeless = set()
    for choice in numbers:
        but_for_eps = tuple(x for name, x in choice.sources.items() if name != "eps")
        if but_for_eps in hopeless:
            continue
        key = rule.digest, tuple(choice.sources.items())
        if key not in played:
            played[key] = replay(rule, choice, evidence.recording, timing)
        fit = played[key]
        if fit is None:
            continue
        match = Match(rule, choice, fit)
        if fit.parting is None:
            return match
        if best is None or match.lasts > best.lasts:
            best = match
        if fit.parting.broad and all(x <= _SMALL_EPS for name, x in choice.fitted.items() if name == "eps"):
            hopeless.add(but_for_eps)
    return best


def _with_numbers(evidence: Evidence, base: Match, choice: Choice) -> Match:
    """Return how the right rule fits with the numbers of an explanation."""
    fit = replay(base.rule, choice, evidence.recording)
    return base if fit is None else Match(base.rule, choice, fit)
