"""Recipes: a rule with links around it, as the rules that a step is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Literal

from thalweg.declaration import Average, Declaration
from thalweg.language import nodes as n
from thalweg.language.compose import RULES_OWN, Part, Place, compose, gathered, measured, slots_in
from thalweg.language.parse import parse
from thalweg.language.signature import is_given
from thalweg.language.source import read
from thalweg.language.state import Slot, shared
from thalweg.rule import Rule

Works = Literal["passes", "old", "parameter"]


@dataclass(frozen=True, eq=False)
class Form:
    """The text of a link, with what is declared about it.

    works: what it works on: "passes" (what is passed on: the gradient, or the step), "old" (the parameter before the
    step) or "parameter". state, ranges: as for a rule. measure: the text of a number of all parameters that it needs,
    with the name it has in the link's text. average: the slot that `averaged()` shows. only: where it has to stand.
    """

    name: str
    text: n.Text
    works: Works
    state: Mapping[str, Slot]
    ranges: Mapping[str, str]
    measure: tuple[str, n.Text] | None = None
    average: str | None = None
    only: Literal["before", "behind"] | None = None

    @property
    def numbers(self) -> tuple[str, ...]:
        """The hyper-parameters of its own."""
        measured_here = self.measure[0] if self.measure else None
        return tuple(x for x in self.text.signature.numbers if x not in RULES_OWN and x != measured_here)


def form(
    *,
    works: Works | None = None,
    state: Mapping[str, Slot] | None = None,
    ranges: Mapping[str, str] | None = None,
    measure: Mapping[str, Callable[..., Any]] | None = None,
    average: str | None = None,
    only: Literal["before", "behind"] | None = None,
) -> Callable[[Callable[..., Any]], Form]:
    """Make the text of a link of a function `def name(x, <slots>, *, <numbers>)` or `def name(w, <slots>, *, ...)`."""

    def make(function: Callable[..., Any]) -> Form:
        text = parse(read(function, function.__globals__), "link")
        own: Works = "passes" if text.signature.arrays[0] == "x" else "parameter"
        needs = None
        for number, other in (measure or {}).items():
            needs = (number, parse(read(other, other.__globals__), "link"))
        return Form(function.__name__.strip("_"), text, works or own, state or {}, ranges or {}, needs, average, only)

    return make


@dataclass(frozen=True)
class Kind:
    """What a link does, without its numbers.

    form: its text; None for one that is no text. vectors: the text for parameters of fewer than two axes, where
    `same_for_vectors` is False; None leaves these alone. holding: for accumulation, the text of a step that only
    gathers. seed: of what its slots draw. most_axes: the most axes of a parameter that it knows.
    """

    name: str
    form: Form | None = None
    vectors: Form | None = None
    same_for_vectors: bool = True
    holding: Form | None = None
    seed: int = 0
    most_axes: int | None = None

    def forms(self) -> tuple[Form, ...]:
        """Return all its texts."""
        return tuple(f for f in (self.form, self.vectors, self.holding) if f is not None)


@dataclass(frozen=True, eq=False)
class Link:
    """One link of a chain, as `thalweg.clip_norm(1.0)` makes it.

    arguments: what it was given, as JSON values or schedules. values: hyper-parameter -> number or schedule.
    """

    kind: Kind
    arguments: Mapping[str, Any]
    values: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What it is called."""
        return self.kind.name

    def __repr__(self) -> str:
        return f"{self.name}({', '.join(f'{k}={self.values.get(k, v)!r}' for k, v in self.arguments.items())})"


@dataclass(frozen=True)
class Placed:
    """A link at its place in a chain. label: its name there. names: what its slots and numbers are called there."""

    kind: Kind
    place: Place
    label: str
    names: tuple[tuple[str, str], ...]

    def part(self, form: Form) -> Part:
        """Return it with one of its texts."""
        return Part(form.name, form.text, self.place, dict(self.names))


@dataclass(frozen=True, eq=False)
class Recipe:
    """What one rule does in a step, links included.

    rule: the step. measures: numbers of all parameters that have to be known before, in order: the name, and the rule
    that computes this parameter's summand into a shared slot of the same name. hold: for accumulation, the recipe of a
    step that only gathers. vectors: the recipe for parameters of fewer than two axes, or None. draws: slot -> seed.
    averages: link (or rule) -> what it shows. most_axes: the most axes of a parameter that all links know, or None.
    """

    rule: Rule
    measures: tuple[tuple[str, Rule], ...] = ()
    hold: Recipe | None = None
    vectors: Recipe | None = None
    draws: Mapping[str, int] = field(default_factory=dict)
    averages: Mapping[str, Average] = field(default_factory=dict)
    most_axes: int | None = None


@lru_cache(maxsize=256)
def recipe_of(rule: Rule, chain: tuple[Placed, ...] = (), *, for_vectors: bool = False) -> Recipe:
    """Return the recipe of a rule with links around it; raises RuleError where one cannot stand where it does."""
    vectors = None
    has_own_form = any(not p.kind.same_for_vectors for p in chain)
    if not for_vectors and (rule.vectors is not None or has_own_form):
        vectors = recipe_of(rule.vectors or rule, chain, for_vectors=True)
    averages = {} if rule.average is None else {rule.name: rule.average}
    if not chain:
        return Recipe(rule, vectors=vectors, averages=averages)
    parts: list[tuple[Placed, Form]] = []
    measures: list[tuple[str, Rule]] = []
    hold = None
    for placed in chain:
        kind = placed.kind
        chosen = kind.form if kind.same_for_vectors or not for_vectors else kind.vectors
        if chosen is None:
            continue
        before = [p.part(f) for p, f in parts]
        if chosen.measure is not None:
            number = dict(placed.names)[chosen.measure[0]]
            needed = Part(kind.name, chosen.measure[1], placed.place, {})
            text = measured(rule.text, [*_up_to(before, placed.place), needed], number)
            measures.append((number, _composed(rule, text, parts, measures=number)))
        if kind.holding is not None:
            text = gathered(rule.text, [*before, placed.part(kind.holding)])
            hold = Recipe(
                _composed(rule, text, [*parts, (placed, kind.holding)]), tuple(measures), draws=_draws_of(parts)
            )
        parts.append((placed, chosen))
    text = compose(rule.text, [p.part(f) for p, f in parts])
    whole = _composed(rule, text, parts, vectors=vectors.rule if vectors else None)
    averages |= {p.label: Average((dict(p.names)[f.average],)) for p, f in parts if f.average}
    most_axes = min((p.kind.most_axes for p, _ in parts if p.kind.most_axes is not None), default=None)
    return Recipe(whole, tuple(measures), hold, vectors, _draws_of(parts), averages, most_axes)


def _draws_of(parts: Sequence[tuple[Placed, Form]]) -> dict[str, int]:
    """Return the slots that are drawn at each step, with their seeds."""
    return {dict(p.names)[s]: p.kind.seed for p, f in parts for s, slot in f.state.items() if slot.draws}


def _up_to(parts: Sequence[Part], place: Place) -> list[Part]:
    """Return the parts that a measure at this place sees."""
    return [p for p in parts if p.place in ("gradient", place)]


def _composed(
    rule: Rule,
    text: n.Text,
    parts: Sequence[tuple[Placed, Form]],
    *,
    measures: str | None = None,
    vectors: Rule | None = None,
) -> Rule:
    """Make a Rule of a composed text, with what was declared about its parts.

    measures: the number that is all it writes, into a shared slot of this name.
    """
    state = dict(rule.slots) | ({measures: shared()} if measures else {})
    ranges = dict(rule.declared.ranges)
    defaults = {name: x for name, x in rule.defaults.items() if x is not None}
    for placed, one in parts:
        names = dict(placed.names)
        state |= {names[s]: one.state.get(s, Slot()) for s in slots_in(one.text)}
        state |= {s: _started(slot, names) for s, slot in state.items() if s in names.values()}
        ranges |= {names[x]: interval for x, interval in one.ranges.items()}
    have = {*text.signature.arrays, *text.signature.numbers}
    declared = Declaration(
        rule.convention_name,
        rule.source,
        {s: slot for s, slot in state.items() if s in have},
        {x: interval for x, interval in ranges.items() if x in have},
        vectors,
        {x: default for x, default in defaults.items() if x in have and not is_given(x)},
        only_matrices=vectors is not None and rule.only_matrices,
    )
    return Rule(text, rule.family, declared, composed=True, writes_only=measures)


def _started(slot: Slot, names: Mapping[str, str]) -> Slot:
    """Return a slot of a link, which may start at one of its numbers, under the names of the chain."""
    if isinstance(slot.start, str) and slot.start in names:
        return replace(slot, start=names[slot.start])
    return slot


def named(
    rules: Sequence[Rule], links: Sequence[tuple[Link, Place]], is_reserved: Callable[[str], bool]
) -> tuple[Placed, ...]:
    """Return the links with names for their slots and numbers.

    A slot is called `link_slot`. A number keeps its own name where nothing else has it, and is `link_number` otherwise.
    A link that stands in the chain twice is `link_2` there.
    """
    taken = {name for rule in rules for name in _names_of(rule)}
    counts: dict[str, int] = {}
    found = []
    for link, place in links:
        counts[link.name] = counts.get(link.name, 0) + 1
        label = link.name if counts[link.name] == 1 else f"{link.name}_{counts[link.name]}"
        names: dict[str, str] = {}
        for one in link.kind.forms():
            for slot in slots_in(one.text):
                names.setdefault(slot, _free(f"{label}_{slot}", taken))
            for number in one.numbers:
                is_taken = number in taken or is_reserved(number)
                names.setdefault(number, _free(f"{label}_{number}" if is_taken else number, taken))
            if one.measure:
                names[one.measure[0]] = f"{label}__{one.measure[0]}"
        taken |= set(names.values())
        found.append(Placed(link.kind, place, label, tuple(names.items())))
    return tuple(found)


def _names_of(rule: Rule) -> set[str]:
    """Return every name in a rule's text, and of its rule for vectors."""
    found = {*rule.flat.kinds, *rule.text.signature.arrays, *rule.text.signature.numbers}
    found |= {n.written_name(name) for name in found}
    return found | (_names_of(rule.vectors) if rule.vectors else set())


def _free(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "_"
    return name
