"""What is said about a rule's text beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypedDict

from thalweg.language.state import Slot
from thalweg.language.terms import Term

if TYPE_CHECKING:
    from thalweg.rule import Rule


class Declared(TypedDict, total=False):
    """The keyword arguments of `@rule` and `@some_rule.convention(...)`; see `rule`."""

    source: str
    state: Mapping[str, Slot]
    ranges: Mapping[str, str]
    vectors: Rule
    only_matrices: bool
    average: str | Term
    bound: Term
    contains: Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class Declaration:
    """What a decorator says about a text, see `rule`; `defaults` are those that differ from the text's own."""

    convention: str
    source: str = ""
    state: Mapping[str, Slot] = field(default_factory=dict)
    ranges: Mapping[str, str] = field(default_factory=dict)
    vectors: Rule | None = None
    defaults: Mapping[str, float] = field(default_factory=dict)
    average: str | Term | None = None
    bound: Term | None = None
    contains: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    only_matrices: bool = False


def declaration_of(convention: str, declared: Mapping[str, Any]) -> Declaration:
    """Return the declaration of keyword arguments, of which None says nothing."""
    return Declaration(convention, **{name: x for name, x in declared.items() if x is not None})


@dataclass(frozen=True)
class Average:
    """A point that `averaged()` shows in the place of a parameter: a slot, or what a term makes of what it takes."""

    names: tuple[str, ...]
    term: Term | None = None

    def of(self, known: Mapping[str, Any]) -> Any:
        """Return the point. known: the parameter, its slots, and hyper-parameters, by name."""
        values = [known[name] for name in self.names]
        return values[0] if self.term is None else self.term(*values)
