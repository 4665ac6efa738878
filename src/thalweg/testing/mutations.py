"""Rules with one slip in them, made systematically from a rule's text.

They explain optimizers that are wrong, and they show whether the tests of a rule can fail.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

from thalweg.language import nodes as n
from thalweg.language.state import Slot
from thalweg.language.terms import inline
from thalweg.language.zeros import without
from thalweg.rule import Family, Rule
from thalweg.testing.replay import PLAIN, Timing
from thalweg.testing.rewrites import Slip, called, local_slips, rewritten

Body = tuple[n.Stmt, ...]


@dataclass(frozen=True)
class Mutation:
    """A rule with one slip: what was done to it, and what came out.

    kind: `operator`, `left out`, `inside the root` ... words: what was done, as the end of "equal to it ...". rank: the
    smaller, the more common is the slip. of, right: the right rule and its text. body, state: text and slots with the
    slip. timing: how it is called. of_vectors: the slip in the rule for vectors, where it is there.
    """

    kind: str
    words: str
    rank: int
    of: Rule
    right: Body
    body: Body
    state: tuple[tuple[str, Slot], ...] = ()
    timing: Timing = PLAIN
    of_vectors: Mutation | None = None

    @cached_property
    def rule(self) -> Rule | None:
        """The rule with the slip; None where the language refuses what came out."""
        if self.body == self.of.text.body and not self.state:
            return self.of
        text = replace(self.of.text, body=self.body)
        family = Family(self.of.name, self.of.title, self.of.convention_name)
        declared = replace(self.of.declared, state={**self.of.declared.state, **dict(self.state)})
        if self.of_vectors is not None:
            text, declared = self.of.text, replace(self.of.declared, vectors=self.of_vectors.rule)
            if declared.vectors is None:
                return None
        try:
            return Rule(text, family, declared, composed=True)
        except (ValueError, TypeError, KeyError):  # RuleError among them; KeyError: a name that is not there yet
            return None

    @property
    def lines(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The lines of the rule's text that the slip changed: as they are, and as they come out."""
        right, wrong = _shown(self.right), _shown(self.body)
        if sorted(right) == sorted(wrong):
            return (tuple(right), tuple(wrong)) if right != wrong else ((), ())
        return _less(right, wrong), _less(wrong, right)


def _less(lines: Sequence[str], others: Sequence[str]) -> tuple[str, ...]:
    """Return lines without those that stand among others too, each as often as it does there."""
    left = Counter(others)
    left.subtract(lines)  # below zero: so many more of it stand here
    return tuple(dict.fromkeys(x for x in lines if left[x] < 0))


@lru_cache(maxsize=64)
def mutations(rule: Rule, zeros: frozenset[str] = frozenset()) -> tuple[Mutation, ...]:
    """Return every slip that is known for a rule, the most common first; none is equal in its text to another.

    zeros: hyper-parameters that are left out of the text, because they are zero. Not every slip computes something
    else: to leave out a factor that is 1 changes nothing.
    """
    found: dict[tuple[object, ...], Mutation] = {}
    body, _ = inline(rule.text) if any(_has_terms(s) for s in rule.text.body) else (rule.text.body, ())
    body = tuple(n.map_expressions(s, lambda x: without(x, zeros)) for s in body) if zeros else body
    for mutation in (*_of_timing(rule, body), *_of_names(rule, body), *_of_expressions(rule, body),
                     *_of_order(rule, body), *_of_slots(rule, body), *_without_a_line(rule, body),
                     *_of_starts(rule, body), *_of_vectors(rule)):  # fmt: skip
        if mutation.body == body and not mutation.state and mutation.timing is PLAIN:
            continue
        key = (mutation.of_vectors is None, tuple(n.lines(mutation.body)), mutation.state, mutation.timing)
        found.setdefault(key, mutation)
    return tuple(sorted(found.values(), key=lambda m: m.rank))


def _has_terms(s: n.Stmt) -> bool:
    found: list[bool] = []

    def look(x: n.Expr) -> n.Expr:
        found.append(any(isinstance(i, n.TermCall) for i in n.walk(x)))
        return x

    n.map_expressions(s, look)
    return any(found)


# One place ------------------------------------------------------------------------------------------------------------


def _of_expressions(rule: Rule, body: Body) -> Iterator[Mutation]:
    local = local_slips(rule)
    for new, slip in _rewritten_block(body, lambda x: rewritten(x, local)):
        yield Mutation(slip.kind, slip.words, slip.rank, rule, body, new)


def _rewritten_block(
    body: Body, change: Callable[[n.Expr], Iterator[tuple[n.Expr, Slip]]]
) -> Iterator[tuple[Body, Slip]]:
    for i, s in enumerate(body):
        for new, slip in _rewritten_statement(s, change):
            yield (*body[:i], new, *body[i + 1 :]), slip
        if isinstance(s, n.If):
            for arm, often in ((s.body, "always"), (s.orelse, "never")):
                words = f"with the lines for `{n.shown(s.cond)}` {often}"
                yield (*body[:i], *arm, *body[i + 1 :]), Slip("one case", words, 5)


def _rewritten_statement(
    s: n.Stmt, change: Callable[[n.Expr], Iterator[tuple[n.Expr, Slip]]]
) -> Iterator[tuple[n.Stmt, Slip]]:
    if isinstance(s, n.Assign):
        for i, value in enumerate(s.values):
            for new, slip in change(value):
                yield replace(s, values=(*s.values[:i], new, *s.values[i + 1 :])), slip
        return
    for new, slip in change(s.cond):
        yield replace(s, cond=new), slip
    for block, slip in _rewritten_block(s.body, change):
        yield replace(s, body=block), slip
    for block, slip in _rewritten_block(s.orelse, change):
        yield replace(s, orelse=block), slip


# The order of lines ---------------------------------------------------------------------------------------------------


def _of_order(rule: Rule, body: Body) -> Iterator[Mutation]:
    """Lines in another order, so that one reads the old value of a slot for the new, or the new one for the old."""
    for i in range(len(body)):
        for j in range(len(body)):
            rest = [*body[:i], *body[i + 1 :]]
            moved = (*rest[:j], body[i], *rest[j:])
            words = _order_in_words(rule, body, moved)
            if i != j and words and _reads_what_is_there(rule, moved):
                yield Mutation("order", words, 1, rule, body, moved)


def _reads_what_is_there(rule: Rule, body: Body) -> bool:
    """Tell whether every name of a text has a value where it is read."""
    there = {*rule.text.signature.arrays, *rule.text.signature.numbers}
    for s in body:
        missing = _read_by(s) - there
        if missing and not (isinstance(s, n.If) and missing <= n.assigned((s,))):
            return False
        there |= n.assigned((s,))
    return True


def _order_in_words(rule: Rule, body: Body, moved: Body) -> str:
    lasting = {rule.text.signature.arrays[0], *rule.slots}
    for writer in body:
        for name in sorted(n.assigned((writer,)) & lasting):
            for reader in body:
                if reader is writer or name not in _read_by(reader):
                    continue
                first, now_first = (order.index(writer) < order.index(reader) for order in (body, moved))
                target = ", ".join(f"`{n.written_name(x)}`" for x in sorted(n.assigned((reader,))))
                if first and not now_first:
                    return f"with {called(rule, name)} updated only after {target} has read it"
                if now_first and not first:
                    twice = ", which counts the momentum twice" if rule.name == "nesterov" else ""
                    return f"with {called(rule, name)} updated before {target} reads it{twice}"
    return ""


def _without_a_line(rule: Rule, body: Body) -> Iterator[Mutation]:
    """A line left out, after which what it assigns stays as it was."""
    for i, s in enumerate(body):
        rest = (*body[:i], *body[i + 1 :])
        if isinstance(s, n.Assign) and rest and _reads_what_is_there(rule, rest):
            yield Mutation("left out", f"without the line `{_shown((s,))[0]}`", 4, rule, body, rest)


def _of_slots(rule: Rule, body: Body) -> Iterator[Mutation]:
    """The old value of a slot, or of the parameter, for the new one: in one line, and in one place of it."""
    for name in (rule.text.signature.arrays[0], *rule.slots):
        old = f"{name}_old"
        kept = n.Assign((old,), (n.Name(name),), body[0].line)

        def in_one_place(x: n.Expr, name: str = name, old: str = old) -> Iterator[tuple[n.Expr, Slip]]:
            if x == n.Name(name):
                yield n.Name(old), Slip("old slot", "", 2)

        first = min((k for k, s in enumerate(body) if name in n.assigned((s,))), default=len(body))
        for k in range(first + 1, len(body)):
            if name not in _read_by(body[k]):
                continue
            target = ", ".join(f"`{n.written_name(x)}`" for x in sorted(n.assigned((body[k],))))
            words = f"with the old `{n.written_name(name)}` for the new one in {target}"
            throughout = n.map_expressions(body[k], lambda x, name=name, old=old: _renamed(x, name, old))  # type: ignore[misc]
            one_place = _rewritten_statement(body[k], lambda x, change=in_one_place: rewritten(x, change))  # type: ignore[misc]
            for line in (throughout, *(s for s, _ in one_place)):
                yield Mutation("old slot", words, 2, rule, body, (kept, *body[:k], line, *body[k + 1 :]))


def _renamed(x: n.Expr, name: str, other: str) -> n.Expr:
    return n.Name(other) if x == n.Name(name) else n.rebuild(x, lambda part: _renamed(part, name, other))


def _read_by(s: n.Stmt) -> set[str]:
    found: set[str] = set()

    def look(x: n.Expr) -> n.Expr:
        found.update(n.names(x))
        return x

    n.map_expressions(s, look)
    return found


# Everywhere -----------------------------------------------------------------------------------------------------------


def _of_names(rule: Rule, body: Body) -> Iterator[Mutation]:
    def everywhere(kind: str, words: str, rank: int, change: Callable[[n.Expr], n.Expr | None]) -> Mutation:
        def deep(x: n.Expr) -> n.Expr:
            new = change(x)
            return n.rebuild(x, deep) if new is None else new

        return Mutation(kind, words, rank, rule, body, tuple(n.map_expressions(s, deep) for s in body))

    def named(name: str, new: n.Expr) -> Callable[[n.Expr], n.Expr | None]:
        return lambda x: new if x == n.Name(name) else None

    fractions = [x for x in rule.defaults if 0.5 in rule.ranges[x] and 1.0 not in rule.ranges[x]]
    for i, a in enumerate(fractions):
        yield everywhere("opposite", f"with `1 - {a}` for `{a}`", 3, named(a, n.Bin("-", n.Num(1.0), n.Name(a))))
        for b in fractions[i + 1 :]:
            other: dict[n.Expr, n.Expr] = {n.Name(a): n.Name(b), n.Name(b): n.Name(a)}
            yield everywhere("exchanged", f"with `{a}` and `{b}` exchanged", 2, other.get)
    corrections = {x for s in body for x in _corrections(s)}
    for c in sorted(corrections, key=n.text):
        yield everywhere(
            "no correction", f"without the bias correction `{n.shown(c)}`", 1,
            lambda x, c=c: n.Num(1.0) if x == c else None,  # type: ignore[misc]
        )  # fmt: skip
    if len(corrections) > 1:
        yield everywhere(
            "no correction", "without bias correction", 0, lambda x: n.Num(1.0) if x in corrections else None
        )
    if "t" in rule.text.signature.numbers:
        t = n.Name("t")
        yield everywhere(
            "t", "with a `t` that is one ahead, 2 at the first step", 1, named("t", n.Bin("+", t, n.Num(1.0)))
        )
        yield everywhere(
            "t", "with a `t` that is one behind, 0 at the first step", 1, named("t", n.Bin("-", t, n.Num(1.0)))
        )
        yield everywhere("t", "with a `t` that stays 1", 2, named("t", n.Num(1.0)))
    for name in rule.defaults:
        for factor, how in (
            (1.1, "10 % larger"),
            (0.9, "10 % smaller"),
            (2.0, "twice as large"),
            (0.5, "half as large"),
        ):
            new = n.Bin("*", n.Num(factor), n.Name(name))
            yield everywhere("hyper-parameter", f"with `{name}` {how}", 8, named(name, new))


def _corrections(s: n.Stmt) -> set[n.Expr]:
    """Return every `1 - beta**t` in a statement."""
    found: set[n.Expr] = set()

    def look(x: n.Expr) -> n.Expr:
        for part in n.walk(x):
            match part:
                case n.Bin("-", n.Num(1.0), n.Bin("**", n.Name(), n.Name("t"))):
                    found.add(part)
        return x

    n.map_expressions(s, look)
    return found


# State, and when it is called -----------------------------------------------------------------------------------------


def _of_starts(rule: Rule, body: Body) -> Iterator[Mutation]:
    for name, slot in rule.slots.items():
        for at in (0.0, 0.1, 1.0) if slot.is_kept else ():
            if slot.copies or slot.start != at:
                words = f"with {called(rule, name)} starting at {at:g}"
                started = replace(slot, start=at, copies=False)
                yield Mutation("start", words, 6, rule, body, body, ((name, started),))


def _of_vectors(rule: Rule) -> Iterator[Mutation]:
    """The slips of the rule for parameters of fewer than two axes."""
    for m in mutations(rule.vectors) if rule.vectors is not None else ():
        if m.timing is PLAIN:
            yield Mutation(m.kind, f"{m.words}, for vectors", m.rank, rule, m.right, m.body, m.state, of_vectors=m)


def _of_timing(rule: Rule, body: Body) -> Iterator[Mutation]:
    def timed(kind: str, words: str, rank: int, timing: Timing) -> Mutation:
        return Mutation(kind, words, rank, rule, body, body, timing=timing)

    yield timed("first call only", "with an update at the first call only", 0, FIRST_ONLY)
    yield timed("not at the first call", "with no update at the first call", 1, NOT_FIRST)
    if rule.slots:
        yield timed("forgets", "with a state that starts anew at each call", 1, FORGETS)
        yield timed("frozen", "with a state that is updated at the first call only", 2, FROZEN)
    if "t" in rule.text.signature.numbers:
        yield timed("t", "with a `t` that counts parameters for steps", 1, COUNTS_PARAMETERS)


FIRST_ONLY = Timing(moves=lambda step: step == 1)
NOT_FIRST = Timing(moves=lambda step: step > 1, keeps=lambda step: step > 1)
FORGETS = Timing(keeps=lambda _: False)
FROZEN = Timing(keeps=lambda step: step == 1)
COUNTS_PARAMETERS = Timing(clock=lambda step, position, count: (step - 1) * count + position + 1)


def _shown(body: Body) -> list[str]:
    found = []
    for s in body:
        if isinstance(s, n.Assign):
            targets = ", ".join(n.written_name(x) for x in s.targets)
            found.append(f"{targets} = {', '.join(n.shown(_without_ones(v)) for v in s.values)}")
        else:
            found += [f"if {n.shown(s.cond)}:", *(f"    {x}" for x in _shown(s.body))]
            found += ["else:", *(f"    {x}" for x in _shown(s.orelse))]
    return found


def _without_ones(x: n.Expr) -> n.Expr:
    """Return x for the eye: where a slip has put a 1, without products with it."""
    x = n.rebuild(x, _without_ones)
    match x:
        case n.Bin("*" | "/", left, n.Num(1.0)) | n.Bin("*", n.Num(1.0), left):
            return left
        case n.Call("sqrt", (n.Num(1.0),)):
            return n.Num(1.0)
    return x
