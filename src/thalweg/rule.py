"""What a rule is: one text with its slots, defaults, ranges, conventions and facts; and `@rule` and `@term`."""

from __future__ import annotations

import hashlib
import pickle
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from importlib import import_module
from types import MappingProxyType
from typing import Any, Unpack, overload

import numpy as np
from numpy.typing import NDArray

from thalweg.declaration import Average, Declaration, Declared, declaration_of
from thalweg.language import nodes as n
from thalweg.language.errors import RuleError
from thalweg.language.facts import Facts, facts_of
from thalweg.language.flatten import Flat, flatten
from thalweg.language.hoist import Hoisted, hoist
from thalweg.language.layout import flipped, flipped_slots
from thalweg.language.meaning import Meaning
from thalweg.language.parse import parse
from thalweg.language.ranges import Range
from thalweg.language.source import read, scope_of_caller
from thalweg.language.state import Slot
from thalweg.language.symmetry import Symmetries, symmetries_of
from thalweg.language.terms import Term, canonical
from thalweg.language.usage import check_usage, defaults_of, ranges_of, slots_of

Function = Callable[..., Any]
LAYOUTS = ("in_out", "out_in")
"""What the axes of weight matrices are: (inputs, outputs) as in the book, or (outputs, inputs) as in torch."""


class Rule:
    """An update rule in one convention: one text, and everything that is derived from it. It never changes.

    name: `adam`. title: the name of its class, `Adam`. convention_name: whose form this is (`book`, `paper`, `torch`).
    source: paper, section, equation. slots: name -> Slot, in the order of the text. defaults: hyper-parameter -> float,
    or None where a value has to be given. ranges: hyper-parameter -> Range, and slots for which one is declared.
    layout: of weight matrices, "in_out" or "out_in". vectors: the rule for parameters of fewer than two axes, or None.
    only_matrices: that one is for parameters of more than two axes as well. average: the point of evaluation, or None.
    flat: the text as a straight line.

    composed: the text was put together of several, each of which was checked. writes_only: the one slot that a step
    changes, for a rule that measures something.
    """

    def __init__(
        self,
        text: n.Text,
        family: Family,
        declared: Declaration,
        *,
        composed: bool = False,
        writes_only: str | None = None,
    ) -> None:
        self.text = text
        self.family = family
        self.declared = declared
        self.name, self.title = family.name, family.title
        self.convention_name, self.source, self.vectors = declared.convention, declared.source, declared.vectors
        self.only_matrices = declared.only_matrices
        self.slots: Mapping[str, Slot] = MappingProxyType(slots_of(text, declared.state))
        self.defaults: Mapping[str, float | None] = MappingProxyType(defaults_of(text, declared.defaults))
        self.flat: Flat = flatten(text, self.slots)
        if writes_only is not None:
            outputs = {name: new if name == writes_only else name for name, new in self.flat.outputs.items()}
            self.flat = replace(self.flat, outputs=outputs)
        if not composed:
            check_usage(text, self.flat, self.slots, self.defaults)
        ranges = ranges_of(text, declared.ranges, self.defaults, self.slots)
        self.ranges: Mapping[str, Range] = MappingProxyType(ranges)
        self.layout = LAYOUTS[0]
        self.contains: Mapping[str, Mapping[str, float]] = MappingProxyType(dict(declared.contains))
        self._check_terms(declared)
        self.average = None if declared.average is None else self._average(declared.average)
        if self.vectors is not None:
            self._check_vectors(self.vectors)
        elif self.only_matrices:
            problem = "`only_matrices=` leaves what has more than two axes to the rule of `vectors=`; name one there"
            raise text.source.error(text.source.def_line, problem)

    def __repr__(self) -> str:
        return f"<rule {self.name}[{self.convention_name}]: {', '.join(self.slots) or 'no state'}>"

    def __copy__(self) -> Rule:
        return self

    def __deepcopy__(self, memo: Any) -> Rule:
        return self

    @cached_property
    def flipped(self) -> Rule:
        """The same rule for matrices of the layout (out, in): the transposed ones are what its text speaks of."""
        declared = replace(self.declared, state=flipped_slots(self.slots))
        other = Rule(flipped(self.text), self.family, declared, composed=True)
        other.layout = next(layout for layout in LAYOUTS if layout != self.layout)
        other.__dict__["flipped"] = self  # transposed twice it is this very rule
        return other

    def in_layout(self, layout: str) -> Rule:
        """Return the rule for weights of the layout "in_out", (inputs, outputs) as in the book, or "out_in"."""
        if layout not in LAYOUTS:
            raise ValueError(
                f"layout = {layout!r}; it is 'in_out', for weights of shape (inputs, outputs) as the book has them, or "
                "'out_in', as torch has them"
            )
        if not self.facts.matrix:
            raise ValueError(f"{self.title} is no rule of whole matrices, and has no layout")
        return self if layout == self.layout else self.flipped

    def __reduce__(self) -> tuple[Any, ...]:
        if self.layout == "out_in":
            return Rule.in_layout, (_held_by(self.text.source.module, self.name, self.convention_name), self.layout)
        found_by = self.text.source.module, self.name, self.convention_name
        try:
            found = _held_by(*found_by)
        except (ImportError, RuleError):
            found = None
        if found is not self:
            raise pickle.PicklingError(
                f"{self!r} is pickled by name, and {found_by[0]} does not hold it; define the rule at the top level of "
                f"a module that can be imported"
            )
        return _held_by, found_by

    @property
    def conventions(self) -> Mapping[str, Rule]:
        """Every form of this rule, by the name of its convention."""
        return MappingProxyType(self.family.conventions)

    @cached_property
    def digest(self) -> str:
        """SHA-256, in hex, of what the rule computes: its text with its terms, its slots, and its rule for vectors.

        Whether the last is for parameters of more than two axes too belongs to it. Layout, comments, defaults, ranges,
        sources and the name of the rule do not change it; other names of slots, hyper-parameters and values do.
        """
        slots = (f"{name}: {s}" for name, s in self.slots.items())
        parts = [canonical(self.text), *slots, self.vectors.digest if self.vectors else ""]
        parts += ["only matrices"] if self.only_matrices else []
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()

    @cached_property
    def facts(self) -> Facts:
        """What can be read off the text."""
        return facts_of(self.text, self.flat, self.slots)

    def takes(self, axes: int) -> bool:
        """Tell whether parameters of so many axes go by this text; the others go by `vectors`, or cannot go at all."""
        if self.vectors is None:
            return axes > 1 or not (self.facts.axes or self.facts.matrix)
        return axes == 2 or (axes > 2 and not self.only_matrices)

    @cached_property
    def symmetries(self) -> Symmetries:
        """What can be read off the text about changed arguments: shifts, signs, scales; for vectors too."""
        own = symmetries_of(self.text, self.flat, self.slots, self.ranges)
        return own if self.vectors is None else own.and_of(self.vectors.symmetries)

    @cached_property
    def meaning(self) -> Meaning:
        """The rule as a function over NumPy arrays and floats."""
        return Meaning(self.text, self.flat)

    @cached_property
    def hoisted(self) -> Hoisted:
        """The rule split into the numbers known before a step, and the rest: what kernels are made from."""
        return hoist(self.text, self.flat)

    def function(self, w: Any, g: Any, /, *state: Any, **numbers: float) -> tuple[Any, ...]:
        """Return (new w, new state ...) of one tensor by the meaning of the rule; nothing that is passed in is changed.

        w: array of float32 or float64. g: array of the same shape and dtype. state: the slots in the order of the text,
        arrays of w's dtype (see `Slot` for shapes), or floats where a slot is a number. w may also be of float16 or
        bfloat16: then g is of any floating dtype, state is float32, and the new w is rounded once. In a rule of whole
        matrices a vector is a matrix of one row. numbers: t (default 1), `value` if the rule takes it, and
        hyper-parameters (default: the rule's).
        Raises TypeError or ValueError for arguments that do not fit, NumberError if a number cannot be computed.
        """
        if len(state) != len(self.slots):
            raise TypeError(f"{self.name} has the slots ({', '.join(self.slots)}), and {len(state)} were given")
        given_w = np.asarray(w)
        if given_w.dtype.name not in ("float16", "bfloat16", "float32", "float64") or not given_w.dtype.isnative:
            raise TypeError(f"w is an array of float16, bfloat16, float32 or float64; this is of type {given_w.dtype}")
        is_half = given_w.itemsize == 2
        array = given_w.astype(np.float32) if is_half else given_w
        if self.facts.axes and not self.facts.matrix and array.ndim < 2:
            raise ValueError(
                f"{self.name} has numbers for rows and columns and needs two axes; w has shape {array.shape}"
            )
        arrays: list[Any] = [array, _fitting("g", g, array.shape, array.dtype, is_cast=is_half)]
        for (name, slot), given in zip(self.slots.items(), state, strict=True):
            shape = slot.shape_for(array.shape, self._numbers(numbers))
            arrays.append(float(given) if shape is None else _fitting(name, given, shape, array.dtype))
        results = self.meaning(self.lifted(arrays), self._numbers(numbers))
        new_w, *new_state = (
            new.reshape(old.shape) if isinstance(old, np.ndarray) else new
            for old, new in zip([arrays[0], *arrays[2:]], results, strict=True)
        )
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            return new_w.astype(given_w.dtype, copy=False), *new_state

    def lifted(self, arrays: Sequence[Any]) -> list[Any]:
        """Return arrays as the text sees them: a scalar has one axis, and two in a rule of matrices, as a vector has.

        A vector is a matrix of one row there. Floats stay as they are.
        """
        lift: Callable[[Any], Any] = np.atleast_2d if self.facts.matrix else np.atleast_1d
        return [lift(a) if isinstance(a, np.ndarray) else a for a in arrays]

    def convention(self, name: str, **declared: Unpack[Declared]) -> Callable[[Function | str], Rule]:
        """Return a decorator that adds a text of its own under this rule's name: another convention.

        name: whose form it is (`book`, `paper`, `torch` ...). declared: as for `rule`; the source, the rule for vectors
        and what that is for are this rule's where none is given. Raises RuleError if the rule has this convention
        already.
        """
        if not isinstance(name, str):
            raise RuleError(f'a convention has a name: @{self.name}.convention("paper"), and {name!r} was given')
        scope = scope_of_caller()
        shared: Declared = {"source": self.source}
        if self.vectors is not None:
            shared |= {"vectors": self.vectors, "only_matrices": self.only_matrices}
        declaration = declaration_of(name, shared | declared)

        def add(function: Function | str) -> Rule:
            return self.family.add(parse(read(function, scope)), declaration)

        return add

    def also(self, name: str, /, *, source: str = "", **defaults: float) -> Rule:
        """Add a convention that is this very text with other defaults, and return it.

        name, source: as for `convention`. Raises RuleError if the rule has this convention already, or if a default is
        none of this text.
        """
        merged = {**self.declared.defaults, **defaults}
        declared = replace(self.declared, convention=name, source=source or self.source, defaults=merged)
        return self.family.add(self.text, declared)

    def _check_vectors(self, vectors: Any) -> None:
        problem = None
        if not isinstance(vectors, Rule):
            problem = f"is the rule for parameters of fewer than two axes, not {vectors!r}"
        elif self.facts.coupled or vectors.facts.coupled:
            one = self if self.facts.coupled else vectors
            problem = f"does not go with `{one.name}`, whose total or shared slot is of all parameters"
        elif vectors.facts.axes and not vectors.facts.matrix:
            problem = f"names `{vectors.name}`, which has numbers of rows and columns and needs two axes itself"
        elif vectors.vectors:
            problem = f"names `{vectors.name}`, which has a rule for vectors itself; name that one"
        if problem:
            raise self.text.source.error(self.text.source.def_line, f"`vectors=` {problem}")

    def step_bound(self, t: int, **numbers: float) -> float:
        """Return what no element of the step at t is larger than; infinity where there is no bound or none is declared.

        It holds for whatever gradients, up to rounding, as long as their squares neither vanish nor overflow. numbers:
        hyper-parameters; those that are left out have their defaults, and weight decay is taken to be zero.
        """
        if self.declared.bound is None:
            return float("inf")
        known = {**self.defaults, **numbers, "t": float(t)}
        return float(self.declared.bound(*(known[name] for name in self.declared.bound.text.signature.arrays)))

    def _check_terms(self, declared: Declaration) -> None:
        for name in () if declared.bound is None else declared.bound.text.signature.arrays:
            if name not in self.defaults and name != "t":
                problem = f"`bound=` reads `{name}`; there are t, {', '.join(self.defaults)}"
                raise self.text.source.error(self.text.source.def_line, problem)
        for other, numbers in declared.contains.items():
            unknown = [name for name in numbers if name not in self.defaults]
            if unknown or not re.fullmatch(r"\w+\[[\w.-]+\]", other):
                problem = f"`contains=` says {{{other!r}: {dict(numbers)!r}}}; write 'rule[convention]' -> its numbers"
                raise self.text.source.error(self.text.source.def_line, problem)

    def _average(self, given: str | Term) -> Average:
        average = Average((given,)) if isinstance(given, str) else Average(given.text.signature.arrays, given)
        full = [name for name, slot in self.slots.items() if not slot.is_number]
        known = [self.text.signature.arrays[0], *self.slots, *self.defaults] if average.term else full
        for name in average.names:
            if name not in known:
                problem = f"`average=` reads `{name}`; there are {', '.join(known) or 'no slots'}"
                raise self.text.source.error(self.text.source.def_line, problem)
        return average

    def _numbers(self, given: Mapping[str, float]) -> dict[str, float]:
        wanted = self.text.signature.numbers
        known = {"t": 1, **self.defaults, **given}
        unknown = [name for name in given if name not in wanted and name != "t"]
        missing = [name for name in wanted if known.get(name) is None]
        if unknown or missing:
            problem = f"`{unknown[0]}` is none of them" if unknown else f"`{missing[0]}` is missing"
            raise TypeError(f"{self.name} takes the numbers {', '.join(wanted) or '(none)'}; {problem}")
        return {name: x for name in wanted if (x := known[name]) is not None}


class Family:
    """The forms of one rule under one name; `default` names the convention that is used where none is asked for."""

    def __init__(self, name: str, title: str, default: str) -> None:
        self.name, self.title, self.default = name, title, default
        self.conventions: dict[str, Rule] = {}

    def add(self, text: n.Text, declared: Declaration) -> Rule:
        """Make a Rule of a text, and keep it under the name of its convention."""
        if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", declared.convention, re.ASCII):
            problem = f"the name of a convention is letters, digits, `_`, `.` and `-`, not {declared.convention!r}"
            raise text.source.error(text.source.def_line, problem)
        if declared.convention in self.conventions:
            have = ", ".join(self.conventions)
            problem = (
                f"{self.name} has a convention {declared.convention!r} already; it has: {have}. Choose another name"
            )
            raise text.source.error(text.source.def_line, problem)
        rule = Rule(text, self, declared)
        self.conventions[declared.convention] = rule
        return rule

    def get(self, convention: str | None) -> Rule:
        """Return the form in a convention (None: the default one); raises ValueError that lists those there are."""
        name = self.default if convention is None else convention
        if name not in self.conventions:
            raise ValueError(f"{self.title} has no convention {name!r}; it has: {', '.join(self.conventions)}")
        return self.conventions[name]


@overload
def rule(text: Function | str, /) -> Rule: ...
@overload
def rule(
    text: str,
    /,
    *,
    title: str | None = ...,
    convention: str = ...,
    default: str | None = ...,
    **declared: Unpack[Declared],
) -> Rule: ...
@overload
def rule(
    *, title: str | None = ..., convention: str = ..., default: str | None = ..., **declared: Unpack[Declared]
) -> Callable[[Function | str], Rule]: ...
def rule(
    text: Function | str | None = None,
    /,
    *,
    title: str | None = None,
    convention: str = "paper",
    default: str | None = None,
    **declared: Unpack[Declared],
) -> Rule | Callable[[Function | str], Rule]:
    """Make a rule of a function `def name(w, g, <slots>, *, t, <hyper-parameters with defaults>)`, or of its text.

    Use it as `@rule`, as `@rule(source=..., state=...)`, or as `rule('''def ...''')` where Python keeps no source; such
    a text may use the words of `thalweg.words` without importing them.

    title: the name of its class. convention: whose form this text is. default: the convention used where none is asked
    for (this one, if not given).

    source: paper, section, equation. state: slot -> `full(start)`, `copy("w")`, `number(start)`, `shared(start)`,
    `rows()`, `columns()`, `left()`, `right()`; a slot that is not named is an array that starts at zero. ranges:
    hyper-parameter or slot -> interval such as "[0, 1)"; by default lr >= 0, 0 <= beta < 1, eps >= 0, others finite.
    vectors: for a rule of matrices, the rule for parameters with fewer than two axes; if that is one of matrices too, a
    vector is a matrix of one row. only_matrices: leave parameters with more than two axes to the rule for vectors as
    well; otherwise they are stacks of matrices. average: what `Optimizer.averaged` shows in the place of the parameter,
    for rules that are evaluated elsewhere than where they take gradients: a slot, or a term whose arguments are named
    like the parameter, slots and hyper-parameters. bound: a term of t and hyper-parameters that no element of a step
    exceeds. contains: "rule[convention]" -> the numbers with which this rule is that one.
    Raises RuleError with the line of what the language does not understand.
    """
    scope = scope_of_caller()

    def make(function: Function | str) -> Rule:
        parsed = parse(read(function, scope))
        name = parsed.source.tree.name
        family = Family(name, title or "".join(part.capitalize() for part in name.split("_")), default or convention)
        return family.add(parsed, declaration_of(convention, declared))

    return make if text is None else make(text)


def term(function: Function | str) -> Term:
    """Make a term of a plain function, or of its text: lines that many rules share, inlined where a rule calls it.

    All arguments are positional, arrays and numbers alike. Raises RuleError as `rule` does.
    """
    return Term(parse(read(function, scope_of_caller()), "term"))


def _fitting(
    name: str, given: Any, shape: tuple[int, ...], dtype: np.dtype[Any], *, is_cast: bool = False
) -> NDArray[Any]:
    array = np.asarray(given)
    if is_cast and (array.dtype.kind == "f" or array.dtype.name == "bfloat16"):
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            array = array.astype(dtype)
    if array.shape != shape or array.dtype != dtype:
        raise ValueError(
            f"{name} is {array.dtype} of shape {array.shape}; with this w it has to be {dtype} of shape {shape}"
        )
    return array


def _held_by(module: str, name: str, convention: str) -> Rule:
    """Return a rule by the module that holds it: how rules are pickled."""
    for obj in vars(import_module(module)).values():
        if isinstance(obj, Rule) and obj.name == name and convention in obj.conventions:
            return obj.conventions[convention]
    raise RuleError(f"the rule {name}[{convention}] is not in {module}; define it there before unpickling")
