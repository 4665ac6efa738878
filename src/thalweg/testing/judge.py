"""Which rule is this optimizer? `identify` asks, `assert_same_rule` insists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from thalweg.rule import Rule
from thalweg.rules import RULES
from thalweg.testing import hints
from thalweg.testing.diagnosis import Diagnosis, diagnose
from thalweg.testing.drift import drifting
from thalweg.testing.given import check_dtype, check_names
from thalweg.testing.identity import Difference, Identity, named
from thalweg.testing.replay import replay, rounding
from thalweg.testing.search import (
    Evidence,
    Explained,
    Match,
    all_forms,
    best_of,
    by_likelihood,
    by_nearness,
    double_explanation,
    explanation,
    matches,
)
from thalweg.testing.source import ClassSource
from thalweg.testing.subject import RAISED, Recording, UsageError, has_been_used, make, record, title_of
from thalweg.testing.world import RATE_CHANGES_AT

_MOST_REPAIRS = 3


def identify(opt: Any, /, *, dtype: Any = np.float64, **hyperparams: float) -> Identity:
    """Say which rule an optimizer is, by the steps that it takes.

    It takes 100 steps on four arrays, with gradients from 1e-12 to 1e3, exact zeros and changes of sign, some of which
    depend on the parameters; where it has a learning rate that can be set, this is changed before step 61. What it does
    is compared with every rule in every convention, then with every rule with a slip in it.

    Args:
        opt: an object with `update(params, grads)` that has taken no step (a copy of it takes them), its class, or a
            function without arguments that returns one.
        dtype: of parameters and gradients, float64 or float32. float64 tells more rules apart.
        **hyperparams: its numbers, where they cannot be read from its attributes, under the names of the rules (`lr`,
            `beta1`) or of other libraries; a class gets those that its constructor takes.

    Returns:
        An Identity: `str()` of it is the answer in one line, and it is true where the optimizer is a known rule. An
        error that the optimizer raises is part of the answer. Equal means bit by bit (zeros of both signs are equal),
        else up to rounding: within 256 units in the last place of the largest value that an element has had.

    Raises:
        UsageError (a TypeError): this is no optimizer, its class needs arguments that were not given, or nothing has a
            hyper-parameter of that name.
    """
    check_names(opt, hyperparams)
    return _Asked(title_of(opt), check_dtype(dtype), hyperparams).identity(opt)


def assert_same_rule(
    opt: Any,
    rule: Rule | str,
    /,
    *,
    convention: str | None = None,
    rtol: float | None = None,
    dtype: Any = np.float64,
    **hyperparams: float,
) -> None:
    """Raise AssertionError, with the evidence, unless an optimizer is this rule.

    Args:
        opt: as for `identify`.
        rule: a Rule, or the name of one of thalweg's own.
        convention: whose form of it; None is the rule's default.
        rtol: the largest difference allowed, relative to the largest value that the element has had. None allows what
            another order of the same operations explains (256 units in the last place); 0.0 asks for equal bits.
        dtype: as for `identify`.
        **hyperparams: as for `identify`.
    """
    wanted = RULES[rule] if isinstance(rule, str) else rule
    wanted = wanted if convention is None else wanted.family.get(convention)
    check_names(opt, hyperparams, wanted)
    asked = _Asked(title_of(opt), check_dtype(dtype), hyperparams)
    try:
        made, _ = make(opt, hyperparams)
    except UsageError:
        raise
    except RAISED:
        raise AssertionError(f"{asked.title} is not {named((wanted,))}: {asked.identity(opt)}") from None
    recording, source = record(made, asked.dtype), ClassSource.of(type(made))
    limit = rounding(asked.dtype) if rtol is None else rtol
    if recording.steps and recording.error is None:
        evidence = asked.evidence(recording, source)
        fits = [replay(wanted, choice, recording, whole=True) for choice in evidence.numbers_of(wanted)]
        worst = min((fit.worst for fit in fits if fit is not None), default=np.inf)
        if worst <= limit:
            return
        if worst <= rounding(asked.dtype):
            raise AssertionError(f"{asked.title} is {named((wanted,))} within {worst:.1g}, and not within {limit:.1g}")
    raise AssertionError(f"{asked.title} is not {named((wanted,))}: {asked.judged(opt, recording, source)}")


@dataclass(frozen=True)
class _Asked:
    """What is asked: about whom, and with which numbers."""

    title: str
    dtype: np.dtype[Any]
    given: Mapping[str, float]

    def evidence(self, recording: Recording, source: ClassSource | None) -> Evidence:
        return Evidence(recording, self.given, source.literals() if source else [], self.title)

    def identity(self, opt: Any) -> Identity:
        try:
            made, remark = make(opt, self.given)
        except UsageError:
            raise
        except RAISED as error:
            source = ClassSource.of(opt) if isinstance(opt, type) else None
            return self._broken(diagnose(error, source, None), source, opt)
        found = self.judged(opt, record(made, self.dtype), ClassSource.of(type(made)))
        return replace(found, notes=(*found.notes, remark)) if remark else found

    def judged(self, opt: Any, recording: Recording, source: ClassSource | None, repairs: int = 0) -> Identity:
        made = recording.optimizer
        if recording.error is not None:
            if recording.steps == 0 and has_been_used(opt) and isinstance(recording.error, KeyError | ValueError):
                raise UsageError(f"this {self.title} has taken steps before; give a new one, or the class")
            return self._broken(diagnose(recording.error, source, made), source, opt, repairs, recording)
        notes = list(recording.habits.values())
        lost = recording.first_nonfinite_step
        if lost is not None:
            place = recording.place(int(np.argmin(np.isfinite(recording.after[lost - 1]))))
            notes.append(f"{place} is NaN or infinite after step {lost}")
        if recording.last_moving_step == 0:
            why = (
                hints.exchanged_arguments(source)
                or "; ".join(hints.lost_lines(source))
                or "look at what `update` assigns to"
            )
            return Identity(
                self.title, "error", steps=recording.steps, notes=tuple(notes),
                diagnosis=Diagnosis(f"no parameter changed in {recording.steps} steps: {why}"),
            )  # fmt: skip
        unmoved = recording.unmoved()
        if unmoved and recording.last_moving_step > recording.steps // 2:
            return self._of_part(recording, source, unmoved)
        identity = self._compared(recording, source)
        return replace(identity, notes=(*identity.notes, *notes))

    # A whole run ------------------------------------------------------------------------------------------------------

    def _compared(self, recording: Recording, source: ClassSource | None) -> Identity:
        evidence = self.evidence(recording, source)
        likely, others = by_likelihood(evidence)
        found = matches(evidence, likely)
        best = best_of(found)
        explained = None
        if not best or (best[0].unusual and not best[0].fit.exact):
            explained = _of_its_name(evidence, found)
        if explained is not None:
            return self._explained(evidence, explained, source)
        return self._among(evidence, source, found if best else [*found, *matches(evidence, others)])

    def _among(self, evidence: Evidence, source: ClassSource | None, found: list[Match]) -> Identity:
        """Return which of the matches it is, or what explains that it is none."""
        recording, best = evidence.recording, best_of(found)
        meant = [m for m in found if evidence.is_named_after(m.rule)]
        if best and (not meant or any(m in best for m in meant)):
            return self._equal(evidence, best)
        if best:
            return self._other_than_named(evidence, best, meant)
        if recording.read != recording.read_after:
            after = replace(evidence, recording=replace(recording, read=recording.read_after))
            best = best_of(matches(after, all_forms()))
            if best:
                return self._equal(after, best)
        late = [m for m in found if m.fit.parting and m.fit.parting.step == RATE_CHANGES_AT and recording.rate]
        for match in late:
            fit = replay(match.rule, match.choice, recording, fixed=True)
            if fit is not None and fit.agrees:
                words = f"with a learning rate that is read once: to set `{recording.rate}` later changes nothing"
                return self._slip(evidence, Match(match.rule, match.choice, fit), words, match)
        nearest = by_nearness(evidence, found)
        explained = explanation(evidence, nearest)
        if explained is None:
            explained = double_explanation(evidence, nearest)
        if explained is not None:
            return self._explained(evidence, explained, source)
        if not nearest:
            return self._identity(evidence, "unknown", ())
        unknown = self._identity(evidence, "unknown", (nearest[0],))
        notes = [*hints.guessed_numbers(unknown.fitted), *[hints.exchanged_arguments(source)]]
        return replace(unknown, parting=_difference(recording, nearest[0]), notes=tuple(filter(None, notes)))

    def _other_than_named(self, evidence: Evidence, best: Sequence[Match], meant: Sequence[Match]) -> Identity:
        """It is a rule, and bears the name of another: say which slip makes the one of the other."""
        equal = self._equal(evidence, best)
        explained = explanation(evidence, meant)
        if explained is None or not equal:
            return replace(equal, notes=(*equal.notes, f"by its name one expects {named((meant[0].rule,))}"))
        slip = self._explained(evidence, explained, None)
        return replace(slip, notes=(f"that makes it {named(equal.rules)}",))

    def _explained(self, evidence: Evidence, explained: Explained, source: ClassSource | None) -> Identity:
        words = explained.mutation.words
        where = hints.update_inside_if(source) if explained.mutation.kind == "first call only" else ""
        identity = self._slip(evidence, explained.match, f"{words}{f': {where}' if where else ''}", explained.base)
        return replace(identity, lines=explained.mutation.lines)

    def _equal(self, evidence: Evidence, best: Sequence[Match]) -> Identity:
        drift = drifting(evidence.recording, best[0])
        if drift:
            return self._slip(evidence, best[0], drift, None)
        equal = self._identity(evidence, "equal", best)
        explained = _place_of_eps(evidence, best)
        if explained is None:
            return equal
        usual = explained.base.rule
        if best[0].unusual or (explained.match.fit.exact and not best[0].fit.exact):
            there = f"{named(equal.rules, equal.fitted)} has eps there, equal {equal.closeness}"
            return replace(self._explained(evidence, explained, None), notes=(there,))
        return replace(equal, slip=f"{named((usual,))} {explained.mutation.words}")

    def _slip(self, evidence: Evidence, match: Match, words: str, base: Match | None) -> Identity:
        identity = self._identity(evidence, "slip", (match,))
        parting = None if base is None else _difference(evidence.recording, base)
        return replace(identity, rules=(match.rule if base is None else base.rule,), slip=words, parting=parting)

    def _identity(self, evidence: Evidence, outcome: Any, found: Sequence[Match]) -> Identity:
        steps = evidence.recording.steps
        if not found:
            return Identity(self.title, outcome, steps=steps)
        best = found[0]
        numbers = best.choice.at(evidence.recording.read[0])
        return Identity(
            self.title,
            outcome,
            tuple(m.rule for m in found),
            {k: x for k, x in numbers.items() if k not in best.zeros},
            {k: x for k, x in best.choice.fitted.items() if k not in best.zeros and k not in self.given},
            steps,
            max(m.fit.worst for m in found),
        )

    # Part of a run ----------------------------------------------------------------------------------------------------

    def _of_part(self, recording: Recording, source: ClassSource | None, unmoved: list[str]) -> Identity:
        """Some tensors never change: look at the others alone, and say so."""
        moving = [name for name in recording.world.shapes if name not in unmoved]
        identity = self._compared(recording.only(moving), source)
        why = hints.return_inside_loop(source)
        words = f"for {', '.join(moving)} alone: {', '.join(unmoved)} never change{f', {why}' if why else ''}"
        if identity.outcome == "equal":
            return replace(identity, outcome="slip", slip=words, rules=identity.rules[:1])
        return replace(identity, notes=(f"only {', '.join(moving)} change", *([why] if why else [])))

    # Errors -----------------------------------------------------------------------------------------------------------

    def _broken(
        self,
        diagnosis: Diagnosis,
        source: ClassSource | None,
        opt: Any,
        repairs: int = 0,
        recording: Recording | None = None,
    ) -> Identity:
        """Return what an error means, and what the class is once its cause is put right."""
        repaired = None
        if source is not None and diagnosis.edit is not None and repairs < _MOST_REPAIRS:
            better = source.repaired(diagnosis.edit)
            if better is not None:
                repaired = self._repaired(opt, better, repairs + 1)
        steps = recording.steps if recording else 0
        return Identity(self.title, "error", steps=steps, diagnosis=diagnosis, repaired=repaired)

    def _repaired(self, opt: Any, source: ClassSource, repairs: int) -> Identity | None:
        """Judge an optimizer by a class that was put right; None where none can be made of it."""
        try:
            if isinstance(opt, type) or not vars(opt if hasattr(opt, "update") else opt()):
                made, _ = make(source.cls, self.given)
            else:
                made, _ = make(opt, {})
                made.__class__ = source.cls
        except RAISED as error:
            found = diagnose(error, source, None)
            return None if isinstance(error, UsageError) else self._broken(found, source, opt, repairs)
        return self.judged(opt, record(made, self.dtype), source, repairs)


def _place_of_eps(evidence: Evidence, best: Sequence[Match]) -> Explained | None:
    """Return how a form differs from its rule's usual one, if it does in where eps stands: meant so, or a slip."""
    usual = best[0].rule.family.get(None)
    if any(m.rule is usual for m in best):
        return None
    explained = explanation(evidence, matches(evidence, [usual]))
    return explained if explained is not None and explained.mutation.kind == "inside the root" else None


def _of_its_name(evidence: Evidence, found: Sequence[Match]) -> Explained | None:
    """Return the slip in the rule whose name the class bears, if it explains every bit with usual numbers."""
    meant = [m for m in found if evidence.is_named_after(m.rule)]
    explained = explanation(evidence, by_nearness(evidence, meant)) if meant else None
    return explained if explained and explained.match.fit.exact and not explained.match.unusual else None


def _difference(recording: Recording, match: Match) -> Difference | None:
    parting = match.fit.parting
    if parting is None:
        return None
    place = recording.place(parting.index)
    return Difference(parting.step, place, parting.theirs, parting.rules, parting.relative)
