"""What an optimizer is made of: a rule, the links around it, numbers, and groups of parameters that differ."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from thalweg.binding import Group
from thalweg.hyperparams import HyperParams, defaults_of, rules_of
from thalweg.language.compose import Place
from thalweg.recipe import Link, Placed, Recipe, named, recipe_of
from thalweg.rule import Rule
from thalweg.sharpness import Sharpness


@dataclass(frozen=True)
class Links:
    """The links of a chain before and behind its rule."""

    before: tuple[Link, ...] = ()
    after: tuple[Link, ...] = ()

    def check(self) -> None:
        """Raise ValueError for a link that cannot stand where it does."""
        late = None
        for link in self.before:
            f = link.kind.form
            if f is not None and (f.works == "parameter" or f.only == "behind"):
                works_on = "the step" if f.works == "passes" else "the parameter that a step has changed"
                raise ValueError(f"{link.name} works on {works_on}: put it behind the rule")
        for link in self.after:
            f = link.kind.form
            if f is not None and f.only == "before":
                hint = "; decay beside the step is decoupled_decay" if link.name == "l2" else ""
                raise ValueError(f"{link.name} works on gradients: put it before the rule{hint}")
            if f is not None and f.works == "passes" and late is not None:
                raise ValueError(f"{link.name} works on the step, which {late} comes behind: put it before {late}")
            late = link.name if f is not None and f.works == "parameter" else late
        names = [link.name for link in (*self.before, *self.after)]
        for once in ("accumulate", "sam"):
            if names.count(once) > 1:
                raise ValueError(f"{once} stands {names.count(once)} times in this chain; once is what it can do")

    def check_with(self, rule: Rule) -> None:
        """Raise ValueError for a link that cannot stand around this rule."""
        for link in (*self.before, *self.after):
            f = link.kind.form
            if f is not None and "lr" in f.text.signature.numbers and "lr" not in defaults_of(rule):
                raise ValueError(f"{link.name} scales by lr, which {rule.title} does not have; give scale='absolute'")
            if not link.kind.same_for_vectors and any(one.facts.coupled for one in rules_of(rule)):
                raise ValueError(
                    f"{link.name} works on matrices and on vectors in two ways, and {rule.title} has a number of all "
                    "parameters, which one way cannot tell the other; leave the link out"
                )

    def placed(self) -> list[tuple[Link, Place]]:
        """Return those with a text, each with its place."""
        found: list[tuple[Link, Place]] = []
        for links, place in ((self.before, "gradient"), (self.after, "step")):
            for link in links:
                if link.kind.form is not None:
                    works = link.kind.form.works
                    found.append((link, place if works == "passes" else works))  # type: ignore[arg-type]
        return found


@dataclass(frozen=True)
class Special:
    """A group as it is given: None for frozen parameters, else its rule and the numbers that differ."""

    rule: Rule
    given: Mapping[str, Any]


@dataclass(frozen=True)
class Made:
    """How an optimizer was made: a rule without links, the links, its hyper-parameters, and groups by pattern."""

    rule: Rule
    links: Links
    given: Mapping[str, Any]
    groups: Mapping[str, Special | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Assembly:
    """The same, put together.

    recipe: of all parameters that no pattern matches. hyper: their numbers. groups: those given, and behind them that
    of all other names. placed: the links with their names.
    """

    made: Made
    recipe: Recipe
    hyper: HyperParams
    groups: tuple[Group, ...]
    placed: tuple[Placed, ...]

    @property
    def own_numbers(self) -> list[str]:
        """The hyper-parameters of the rule itself, without its links."""
        return list(defaults_of(self.made.rule))

    @property
    def rules(self) -> list[tuple[int, Rule]]:
        """Every rule in use, links included, with the position of its group."""
        return [(k, rule) for k, g in enumerate(self.groups) if g.recipe for rule in rules_of(g.recipe.rule)]

    @property
    def needs_value(self) -> bool:
        """Whether a rule takes the loss of the step."""
        return any(rule.facts.needs_value for _, rule in self.rules)

    @property
    def sam(self) -> Sharpness | None:
        """The sharpness-aware part of the chain."""
        links = (*self.made.links.before, *self.made.links.after)
        return next((Sharpness(**link.arguments) for link in links if link.name == "sam"), None)

    def now(self) -> Made:
        """Return how to make the same with the hyper-parameters as they are now."""
        current = iter(self.placed)

        def renewed(link: Link) -> Link:
            if link.kind.form is None:
                return link
            names = dict(next(current).names)
            values = {name: self.hyper[names[name]] for name in link.values}
            return replace(link, values=values, arguments={**link.arguments, **values})

        before = tuple(renewed(link) for link in self.made.links.before)
        after = tuple(renewed(link) for link in self.made.links.after)
        groups = {
            g.pattern: None if g.hyper is None or special is None else Special(special.rule, g.hyper.own)
            for g, special in zip(self.groups, self.made.groups.values(), strict=False)
        }
        given = {name: self.hyper[name] for name in self.own_numbers}
        return Made(self.made.rule, Links(before, after), given, groups)

    def name_of(self, link: str, own: str) -> str | None:
        """Return what a slot or number of a link is called in this chain; None if the link is not in it."""
        return next((dict(p.names)[own] for p in self.placed if p.kind.name == link), None)

    def average(self, link: str | None) -> str:
        """Return the name of an average; raises ValueError where there is none, or more than one and no name."""
        found = self.averages
        if not found:
            raise ValueError("this optimizer keeps no average; chain(rule, ema(0.999)) does, and polyak() and swa()")
        if link is None and len(found) > 1:
            raise ValueError(f"this chain keeps {len(found)} averages; say which: link={' or '.join(map(repr, found))}")
        if link is not None and link not in found:
            raise ValueError(f"this chain has no average {link!r}; it has {', '.join(map(repr, found))}")
        return found[0] if link is None else link

    @property
    def averages(self) -> list[str]:
        """The names of all averages that are kept: of links, and of rules that are evaluated at one."""
        recipes = [g.recipe for g in (self.groups[-1], *self.groups[:-1]) if g.recipe is not None]
        every = [r for recipe in recipes for r in (recipe, recipe.vectors) if r is not None]
        return list(dict.fromkeys(name for recipe in every for name in recipe.averages))

    def check_patterns(self, matched: Container[str], names: Iterable[str]) -> None:
        """Raise ValueError for a pattern that is not among those that have matched. names: for the message."""
        for group in self.groups[:-1]:
            if group.pattern not in matched:
                listed = ", ".join(map(repr, names))
                raise ValueError(f"the group {group.pattern!r} matches no parameter; their names are {listed}")


def assemble(made: Made, is_reserved: Callable[[str], bool]) -> Assembly:
    """Put the parts of an optimizer together; raises where they do not fit.

    is_reserved: whether an optimizer has an attribute of this name already.
    """
    specials = [special for special in made.groups.values() if special is not None]
    made.links.check()
    for rule in (made.rule, *(s.rule for s in specials)):
        made.links.check_with(rule)
    placed = named([made.rule, *(s.rule for s in specials)], made.links.placed(), is_reserved)
    values: dict[str, Any] = {}
    texts = [link for link in (*made.links.before, *made.links.after) if link.kind.form is not None]
    for link, at in zip(texts, placed, strict=True):
        values |= {dict(at.names)[name]: value for name, value in link.values.items()}
    chain = _ordered(placed)
    recipe = recipe_of(made.rule, chain)
    pairs = [(dict(at.names)["low"], dict(at.names)["high"]) for at in placed if _has_both(at)]
    hyper = HyperParams(recipe.rule, {**made.given, **values}, pairs=pairs)
    groups = []
    every = next((dict(at.names)["every"] for at in placed if at.kind.name == "accumulate"), None)
    for pattern, special in made.groups.items():
        if special is None:
            groups.append(Group(pattern, None, None))
            continue
        is_same = special.rule is made.rule
        own = recipe if is_same else recipe_of(special.rule, chain)
        for name in special.given:
            if name == every:
                problem = f"`{name}` counts calls of update, and cannot differ between groups"
                raise ValueError(f"the group {pattern!r}: {problem}")
            if is_same and any(name in rule.facts.model_numbers for rule in rules_of(own.rule)):
                raise ValueError(
                    f"the group {pattern!r}: `{name}` belongs to a number that {made.rule.title} keeps for the whole "
                    "model, and cannot differ between groups"
                )
        inherits = hyper if is_same else values
        groups.append(Group(pattern, own, HyperParams(own.rule, special.given, hyper, inherits, pairs)))
    _check_shared(made, specials)
    return Assembly(made, recipe, hyper, (*groups, Group("*", recipe, hyper)), placed)


def _has_both(placed: Placed) -> bool:
    return placed.kind.name == "bounds" and {"low", "high"} <= set(dict(placed.names))


def _ordered(placed: tuple[Placed, ...]) -> tuple[Placed, ...]:
    """Return the links in the order in which they act; links of one place keep theirs."""
    order = ("gradient", "step", "old", "parameter")
    return tuple(sorted(placed, key=lambda p: order.index(p.place)))


def _check_shared(made: Made, specials: Sequence[Special]) -> None:
    numbers: dict[tuple[Rule, str], Any] = {}
    for special in specials:
        for name in (x for one in rules_of(special.rule) for x in one.facts.model_numbers):
            given = special.given.get(name, special.rule.defaults.get(name))
            if special.rule is not made.rule and numbers.setdefault((special.rule, name), given) != given:
                raise ValueError(
                    f"`{name}` belongs to a number that {special.rule.title} keeps for the whole model, and two groups "
                    "with this rule have different ones; give both the same"
                )
    owners: dict[str, Rule] = {}
    for rule in dict.fromkeys([made.rule, *(s.rule for s in specials)]):
        for one in rules_of(rule):
            for slot in (s for s in one.slots if one.slots[s].shape == "shared"):
                if owners.setdefault(slot, one) is not one:
                    raise ValueError(
                        f"{owners[slot].title} and {one.title} both keep `{slot}` for the whole model; "
                        "use an optimizer for each"
                    )
