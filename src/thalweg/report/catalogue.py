"""The rules as a list: what there is, since when, and what it costs. Nothing is run, and nothing compiled."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from thalweg.elsewhere import MISSING, ROWS
from thalweg.language.state import Slot
from thalweg.rule import Rule
from thalweg.rules import RULES

LBFGS = "lbfgs"
"""The one optimizer that is no rule: it has no text, and no conventions."""

# A year as sources write it, and no part of an arXiv number (2010.07468), of an address or of a version.
_YEAR = re.compile(r"(?<![\w.:/-])(?:1[89]|20)\d\d(?![\w-]|\.\d)")
# What may stand behind the authors: where it appeared, and not the place in it.
_PLACE = re.compile(r"(?:section|algorithm|eq\.|figure|lecture|as in|with|the|https?:)\b.*", re.IGNORECASE)


class UnknownRuleError(ValueError):
    """There is no rule of that name."""


@dataclass(frozen=True)
class Entry:
    """One line of the list.

    name: of the class. year: the earliest that a source of the rule names. source: its authors, and where it appeared.
    state: the numbers kept for a parameter of n rows and m columns, in brackets those kept once for all parameters.
    bits: "same" on every machine, up to "4 ulp" apart, or of "BLAS" and LAPACK. conventions: by name. default: the one
    that the class has unless told otherwise.
    """

    name: str
    year: int
    source: str
    state: str
    bits: str
    conventions: tuple[str, ...]
    default: str

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values, under the names of its attributes."""
        return {**vars(self), "conventions": list(self.conventions)}


def entries() -> list[Entry]:
    """Return all rules, in the order of the registry, and L-BFGS, which is no rule."""
    found = [entry_of(rule) for rule in RULES.values()]
    return [*found, Entry("LBFGS", 1989, "Liu & Nocedal", "2h·nm", "same", ("torch",), "torch")]


def entry_of(rule: Rule) -> Entry:
    """Return the line of a rule, whose facts are those of its default convention."""
    year, source = dated(rule)
    return Entry(
        rule.title, year, shortened(source), state_of(rule.slots), bits_of(rule), tuple(rule.conventions),
        rule.family.default,
    )  # fmt: skip


def find(name: str) -> Rule | None:
    """Return the rule of a name, `Adam`, `adam` or `adam[torch]`, in whatever case; None for L-BFGS.

    Raises UnknownRuleError, which says what comes nearest, or what a name of another library is called here.
    """
    wanted, bracket, convention = name.strip().partition("[")
    key = wanted.casefold()
    if key in RULES:
        try:
            return RULES[key].family.get(convention.rstrip("]") if bracket else None)
        except ValueError as error:
            raise UnknownRuleError(str(error)) from None
    if key == LBFGS and convention in ("", "torch]"):
        return None
    there = next((f"{x.theirs} is {x.ours} here" for x in ROWS if key in _called(x.name)), "") or next(
        (f"{x.name} is not here: {x.why}" for x in MISSING if key in _called(x.name)), ""
    )
    near = difflib.get_close_matches(key, [*RULES, LBFGS], n=1)
    hint = f"{there}." if there else f"Did you mean {near[0]!r}?" if near else "`thalweg list` lists them."
    raise UnknownRuleError(f"{name!r} is not a rule here. {hint}")


def _called(name: str) -> tuple[str, str]:
    return name.casefold(), name.casefold().rpartition(".")[2]


# What stands in a line ------------------------------------------------------------------------------------------------


def dated(rule: Rule) -> tuple[int, str]:
    """Return the earliest year in the sources of a rule's conventions, and the part of the source that names it."""
    found = list(_dates(rule))
    if not found:
        raise ValueError(f"no source of {rule.title} names a year")
    return min(found, key=lambda x: x[0])


def _dates(rule: Rule) -> Iterator[tuple[int, str]]:
    for form in rule.conventions.values():
        for part in form.source.split("; "):
            for match in _YEAR.finditer(part):
                yield int(match[0]), part


def shortened(source: str) -> str:
    """Return the authors of a source, at most two of them by name, and its arXiv number or where it appeared.

    >>> shortened("Liu, Wang & Sun 2020, arXiv:1908.03265, Algorithm 2")
    'Liu et al., arXiv:1908.03265'
    """
    match = _YEAR.search(source)
    if match is None:
        return source
    authors = re.split(r", | & ", source[: match.start()].strip(" ,"))
    who = " & ".join(authors) if len(authors) < 3 else f"{authors[0]} et al."
    where = source[match.end() :].split(",")[1:2]
    place = re.sub(r"(?<=\d)v\d+$", "", where[0].strip()) if where else ""
    return f"{who}, {place}" if place and len(place) <= 24 and not _PLACE.fullmatch(place) else who


_TERMS = {"array": "nm", "rows": "n", "columns": "m", "left": "n²", "right": "m²", "number": "1"}


def state_of(slots: Mapping[str, Slot]) -> str:
    """Return how many numbers are kept for a parameter of n rows and m columns, in brackets those of all parameters."""
    counts: Counter[str] = Counter(slot.shape for slot in slots.values() if slot.is_kept)
    terms = [
        str(counts[shape]) if term == "1" else f"{counts[shape] if counts[shape] > 1 else ''}{term}"
        for shape, term in _TERMS.items()
        if counts[shape]
    ]
    own = "+".join(terms)
    once = counts["shared"]
    return f"{own} (+{once})".strip() if once else own or "none"


def bits_of(rule: Rule) -> str:
    """Return whose bits a step has: "same" everywhere, up to "4 ulp" apart, or those of "BLAS" and LAPACK."""
    return "BLAS" if rule.facts.matrix else "same" if rule.facts.exact else "4 ulp"
