"""What a rule is: one text with its slots, defaults, ranges, conventions and facts; and the decorators `@rule` and `@term`."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import Any, overload

import numpy as np

from thalweg.language.errors import RuleError
from thalweg.language.facts import Facts, facts_of
from thalweg.language.flatten import Flat, flatten
from thalweg.language.hoist import Hoisted, hoist
from thalweg.language.meaning import Meaning
from thalweg.language.parse import Text, parse
from thalweg.language.ranges import Range, range_of
from thalweg.language.source import canonical, read
from thalweg.language.state import Slot
from thalweg.language.terms import Term, terms_of
from thalweg.language.usage import check_usage

Function = Callable[..., Any]
STEP_NUMBERS = (
    "t",
    "value",
)  # keyword arguments that are no hyper-parameters: the step count, and the loss of the step


class Rule:
    """An update rule in one convention: one text, and everything that is derived from it.

    name: `adam`. title: the name of its class, `Adam`. convention_name: whose form this is (`book`, `paper`, `torch` ...).
    source: paper, section, equation. slots: name -> Slot, in the order of the text. defaults: hyper-parameter -> float, or None
    where a value has to be given. ranges: hyper-parameter -> Range. vectors: the rule for tensors of fewer than two axes, or None.
    """

    def __init__(
        self,
        text: Text,
        *,
        family: Family,
        convention: str,
        source: str,
        state: Mapping[str, Slot],
        ranges: Mapping[str, str],
        vectors: Rule | None,
        defaults: Mapping[str, float],
    ) -> None:
        self.text = text
        self.family = family
        self.name, self.title = family.name, family.title
        self.convention_name = convention
        self.source = source
        self.vectors = vectors
        self.slots: Mapping[str, Slot] = MappingProxyType(_slots(text, state))
        own = {k: v for k, v in text.signature.numbers.items() if k not in STEP_NUMBERS}
        unknown = sorted((set(ranges) | set(defaults)) - set(own))
        if unknown:
            raise text.source.error(
                text.source.first_line,
                f"`{unknown[0]}` is no hyper-parameter of this text; it has {', '.join(own) or 'none'}",
            )
        self.defaults: Mapping[str, float | None] = MappingProxyType(own | {k: float(v) for k, v in defaults.items()})
        self.ranges: Mapping[str, Range] = MappingProxyType(
            {k: Range.parse(ranges[k]) if k in ranges else range_of(k) for k in own}
        )
        self.flat: Flat = flatten(text, self.slots)
        check_usage(text, self.flat, self.slots, self.defaults, self.ranges, vectors)

    def __repr__(self) -> str:
        return f"<rule {self.name}[{self.convention_name}]: {', '.join(self.slots) or 'no state'}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return _found_again, (self.text.source.scope.get("__name__"), self.name, self.convention_name)

    @property
    def conventions(self) -> Mapping[str, Rule]:
        """Every form of this rule, by the name of its convention."""
        return MappingProxyType(self.family.conventions)

    @cached_property
    def digest(self) -> str:
        """SHA-256, in hex, of what the rule computes: its text, terms and slots; not its layout, comments or defaults."""
        parts = [
            canonical(self.text.source.tree),
            *sorted(t.canonical for t in terms_of(self.text)),
            repr(dict(self.slots)),
        ]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()

    @cached_property
    def facts(self) -> Facts:
        """What can be read off the text."""
        return facts_of(self.text, self.flat, self.slots)

    @cached_property
    def meaning(self) -> Meaning:
        """The rule as a function over NumPy arrays and floats."""
        return Meaning(self.text, self.flat)

    @cached_property
    def hoisted(self) -> Hoisted:
        """The rule split into the numbers known before a step, and the rest: what kernels are made from."""
        return hoist(self.text, self.flat)

    def function(self, w: Any, g: Any, *state: Any, **numbers: float) -> tuple[Any, ...]:
        """Return (new w, new state ...) of one tensor by the meaning of the rule; nothing that is passed in is changed.

        w, g and the slots, in the order of the text: arrays of one shape and dtype, float32 or float64; slots that are numbers are
        floats. numbers: t (default 1) and hyper-parameters (defaults apply). Raises NumberError if a number cannot be computed.
        """
        slots = list(self.slots.values())
        if len(state) != len(slots):
            msg = f"{self.name} has {len(slots)} slots ({', '.join(self.slots) or 'none'}), and {len(state)} were given"
            raise TypeError(msg)
        wanted = self.text.signature.numbers
        known = {**self.defaults, "t": 1, **numbers}
        odd = [k for k in numbers if k not in wanted and k != "t"] + [k for k in wanted if known.get(k) is None]
        if odd:
            msg = f"{self.name} takes the numbers {', '.join(wanted)}; `{odd[0]}` is {'unknown' if odd[0] in numbers else 'missing'}"
            raise TypeError(msg)
        w = np.asarray(w)
        arrays = [w, np.asarray(g), *(s if d.is_number else np.asarray(s) for s, d in zip(state, slots, strict=True))]
        lifted = [np.atleast_1d(a) if isinstance(a, np.ndarray) else float(a) for a in arrays]
        results = self.meaning(lifted, {k: known[k] for k in wanted})
        return tuple(r.reshape(w.shape) if isinstance(r, np.ndarray) and w.ndim == 0 else r for r in results)

    def convention(
        self,
        name: str,
        *,
        source: str = "",
        state: Mapping[str, Slot] | None = None,
        ranges: Mapping[str, str] | None = None,
    ) -> Callable[[Function | str], Rule]:
        """Return a decorator that adds a text of its own under this rule's name: another convention.

        name: whose form it is (`book`, `paper`, `torch` ...). source, state, ranges: as for `rule`.
        Raises RuleError if the convention is there already.
        """
        scope = sys._getframe(1).f_globals

        def add(function: Function | str) -> Rule:
            return self.family.add(
                name,
                parse(read(function, scope)),
                source=source or self.source,
                state=state,
                ranges=ranges,
                vectors=self.vectors,
            )

        return add

    def also(self, name: str, *, source: str = "", **defaults: float) -> Rule:
        """Add a convention that is this very text with other defaults, and return it."""
        return self.family.add(
            name,
            self.text,
            source=source or self.source,
            state=dict(self.slots),
            ranges={},
            vectors=self.vectors,
            defaults={**{k: v for k, v in self.defaults.items() if v is not None}, **defaults},
        )


class Family:
    """The forms of one rule under one name; `default` names the convention that is used where none is asked for."""

    def __init__(self, name: str, title: str, default: str) -> None:
        self.name, self.title, self.default = name, title, default
        self.conventions: dict[str, Rule] = {}

    def add(
        self,
        convention: str,
        text: Text,
        *,
        source: str,
        state: Mapping[str, Slot] | None,
        ranges: Mapping[str, str] | None,
        vectors: Rule | None,
        defaults: Mapping[str, float] | None = None,
    ) -> Rule:
        """Make a Rule of a text and keep it under the name of its convention."""
        if convention in self.conventions:
            raise text.source.error(text.source.first_line, f"{self.name} has a convention {convention!r} already")
        rule = Rule(
            text, family=self, convention=convention, source=source, state=state or {}, ranges=ranges or {}, vectors=vectors, defaults=defaults or {}
        )  # fmt: skip
        self.conventions[convention] = rule
        return rule

    def get(self, convention: str | None) -> Rule:
        """Return the form in a convention (None: the default one); raises ValueError that lists those there are."""
        name = self.default if convention is None else convention
        if name not in self.conventions:
            msg = f"{self.title} has no convention {convention!r}; it has: {', '.join(self.conventions)}"
            raise ValueError(msg)
        return self.conventions[name]


@overload
def rule(text: Function | str, /) -> Rule: ...
@overload
def rule(
    text: str,
    /,
    *,
    source: str = ...,
    state: Mapping[str, Slot] | None = ...,
    ranges: Mapping[str, str] | None = ...,
    title: str | None = ...,
    vectors: Rule | None = ...,
    convention: str = ...,
    default: str | None = ...,
) -> Rule: ...
@overload
def rule(
    *,
    source: str = ...,
    state: Mapping[str, Slot] | None = ...,
    ranges: Mapping[str, str] | None = ...,
    title: str | None = ...,
    vectors: Rule | None = ...,
    convention: str = ...,
    default: str | None = ...,
) -> Callable[[Function | str], Rule]: ...
def rule(
    text: Function | str | None = None,
    /,
    *,
    source: str = "",
    state: Mapping[str, Slot] | None = None,
    ranges: Mapping[str, str] | None = None,
    title: str | None = None,
    vectors: Rule | None = None,
    convention: str = "paper",
    default: str | None = None,
) -> Rule | Callable[[Function | str], Rule]:
    """Make a rule of a plain function `def name(w, g, <slots>, *, t, <hyper-parameters with defaults>)`, or of its text.

    Use it as `@rule`, as `@rule(source=..., state=...)`, or as `rule('''def ...''')` where Python keeps no source.

    source: paper, section, equation. state: slot -> `full(start)`, `copy("w")`, `number(start)`, `shared(start)`, `rows()`,
    `columns()`; a slot that is not named is an array that starts at zero. ranges: hyper-parameter -> interval such as "[0, 1)";
    by default lr >= 0, 0 <= beta < 1, eps >= 0, others finite. title: the name of its class. vectors: for a rule of matrices,
    the rule for tensors with fewer than two axes. convention: whose form this text is. default: the convention used where none is
    asked for (this one, if not given). Raises RuleError with the line of what the language does not understand.
    """
    scope = sys._getframe(1).f_globals

    def make(function: Function | str) -> Rule:
        parsed = parse(read(function, scope))
        name = parsed.source.tree.name
        family = Family(name, title or "".join(part.capitalize() for part in name.split("_")), default or convention)
        return family.add(convention, parsed, source=source, state=state, ranges=ranges, vectors=vectors)

    return make if text is None else make(text)


def term(function: Function | str) -> Term:
    """Make a term of a plain function: lines that many rules share, inlined where a rule calls it. All arguments are positional."""
    text = parse(read(function, sys._getframe(1).f_globals), needs_gradient=False)
    if text.signature.numbers:
        raise text.source.error(text.source.first_line, "a term takes its arguments by position; leave out the `*`")
    return Term(text, None if isinstance(function, str) else function)


def _slots(text: Text, state: Mapping[str, Slot]) -> dict[str, Slot]:
    names = text.signature.arrays[2:]
    for name, slot in state.items():
        if name not in names:
            raise text.source.error(
                text.source.first_line,
                f"`state=` names `{name}`, which is no slot of the text; it has {', '.join(names) or 'none'}",
            )
        if not isinstance(slot, Slot):
            problem = f'`state=` gives {slot!r} for `{name}`; use full(start), copy("w"), number(start), shared(start), rows() or columns()'
            raise text.source.error(text.source.first_line, problem)
    return {name: state.get(name, Slot()) for name in names}


def _found_again(module: str | None, name: str, convention: str) -> Rule:
    """Return a rule that was pickled by name: one of thalweg's own, or one that its module holds."""
    from thalweg.rules import RULES

    if name in RULES and convention in RULES[name].conventions:
        return RULES[name].conventions[convention]
    held = vars(sys.modules[module]).values() if module in sys.modules else ()
    for obj in held:
        if isinstance(obj, Rule) and (obj.name, obj.convention_name) == (name, convention):
            return obj
    msg = f"the rule {name}[{convention}] is not in {module}: define it there before unpickling"
    raise RuleError(msg)
