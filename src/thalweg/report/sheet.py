"""One rule in words: its text, its numbers, its state, and what can be read off it."""

from __future__ import annotations

import linecache
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

from thalweg.lab.formats import listing, number
from thalweg.language import nodes as n
from thalweg.language.kinds import STEP
from thalweg.language.state import Slot
from thalweg.language.vocabulary import WORDS
from thalweg.report.catalogue import dated
from thalweg.rule import Rule


@dataclass(frozen=True)
class Number:
    """A hyper-parameter: its default, as it is written, and its range as a condition."""

    name: str
    default: str
    range: str


@dataclass(frozen=True)
class Kept:
    """A slot of state: its shape for a parameter of n rows and m columns, where it starts, and its range, if any."""

    name: str
    shape: str
    start: str
    range: str = ""


@dataclass(frozen=True)
class Sheet:
    """All about one convention of a rule.

    name: of the class. convention, source: whose form it is. year: of the rule. note: what stands above the text in its
    file. text: the function as it is written there, and text_for_vectors that for parameters of fewer than two axes, ""
    if it is the same. numbers, slots: see there. facts: sentences. conventions: all of the rule's, with the default.
    """

    name: str
    convention: str
    source: str
    year: int
    note: str
    text: str
    text_for_vectors: str
    numbers: tuple[Number, ...]
    slots: tuple[Kept, ...]
    facts: tuple[str, ...]
    conventions: tuple[str, ...]
    default: str

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values, under the names of its attributes."""
        parts = {"numbers": [vars(x) for x in self.numbers], "slots": [vars(x) for x in self.slots]}
        return {**vars(self), **parts, "facts": list(self.facts), "conventions": list(self.conventions)}


def sheet_of(rule: Rule) -> Sheet:
    """Return all about a rule in its convention."""
    numbers = tuple(
        Number(name, "none" if default is None else written(default), form.ranges[name].condition(name))
        for name, (default, form) in numbers_of(rule).items()
    )
    slots = tuple(_kept(name, slot, rule) for name, slot in rule.slots.items())
    return Sheet(
        rule.title, rule.convention_name, rule.source, dated(rule)[0], note_of(rule), text_of(rule),
        text_of(rule.vectors) if rule.vectors else "", numbers, slots, tuple(_facts(rule)), tuple(rule.conventions),
        rule.family.default,
    )  # fmt: skip


def sheet_of_lbfgs() -> Sheet:
    """Return all about L-BFGS, which has no text."""
    from thalweg.quasi_newton import LBFGS
    from thalweg.quasi_newton.settings import Settings

    found = Settings()
    values = {f.name: getattr(found, f.name) for f in fields(Settings)}
    numbers = tuple(
        Number(name, written(x) if isinstance(x, float | int) else str(x), "") for name, x in values.items()
    )
    kept = (
        Kept("pairs", "n × m twice, history_size times at most", ""),
        Kept("gradient", "n × m", ""),
        Kept("direction", "n × m", ""),
    )
    facts = (
        "It is no rule: it asks for values and gradients as often as it needs, update(params, closure=f).",
        "It takes neither links nor groups; its arguments are those of torch.optim.LBFGS.",
        "The same bits on every machine, if the function gives the same.",
    )
    source = "Liu & Nocedal 1989; torch.optim.LBFGS"
    summary = (LBFGS.__doc__ or "").splitlines()[0]
    return Sheet("LBFGS", "torch", source, 1989, summary, "", "", numbers, kept, facts, ("torch",), "torch")


def numbers_of(rule: Rule) -> dict[str, tuple[float | None, Rule]]:
    """Return the hyper-parameters of a rule, with those that only its rule for vectors has behind them.

    Each has its default and the rule that it is of.
    """
    own = {name: (x, rule) for name, x in rule.defaults.items()}
    of_vectors = {name: (x, rule.vectors) for name, x in rule.vectors.defaults.items()} if rule.vectors else {}
    return own | {name: found for name, found in of_vectors.items() if name not in own}


def written(value: float) -> str:
    """Return a number as short as it can be read back: `0.001`, `1e-8`, `5`."""
    mantissa, e, exponent = repr(float(value)).partition("e")
    return mantissa.removesuffix(".0") + (f"e{int(exponent)}" if e else "")


def text_of(rule: Rule) -> str:
    """Return the function of a rule as it is written in its file, from `def` on, behind the terms that it calls."""
    texts = [*terms_in(rule.text), rule.text]
    return "\n\n".join("\n".join(t.source.lines[t.source.def_line - t.source.first_line :]).rstrip() for t in texts)


def terms_in(text: n.Text) -> list[n.Text]:
    """Return the texts of the terms that a text calls, each once, and behind those that it calls itself."""
    found: list[n.Text] = []

    def look(x: n.Expr) -> n.Expr:
        for inner in n.walk(x):
            if isinstance(inner, n.TermCall) and inner.text not in found:
                found.extend(t for t in terms_in(inner.text) if t not in found)
                found.append(inner.text)
        return x

    for s in text.body:
        n.map_expressions(s, look)
    for x in text.returns:
        look(x)
    return found


def note_of(rule: Rule) -> str:
    """Return the comment that stands above the decorator of a text, as one paragraph; "" if there is none."""
    source = rule.text.source
    if source.filename is None or rule.declared.defaults:
        return ""
    lines = linecache.getlines(source.filename)[: source.first_line - 1]
    found: list[str] = []
    while lines and lines[-1].startswith("# ") and not lines[-1].rstrip().endswith("---"):
        found.insert(0, lines.pop()[2:].strip())
    return " ".join(found)


LONG = 10_000
_WORDS = {"power": "powers", "cbrt": "cube roots", "exp": "exponentials", "log": "logarithms", "atan2": "angles"}
_SHAPES = {
    "array": "n × m", "rows": "n, one a row", "columns": "m, one a column", "left": "n × n", "right": "m × m",
    "number": "one a tensor", "shared": "one for all",
}  # fmt: skip


def _kept(name: str, slot: Slot, rule: Rule) -> Kept:
    shape = f"{_SHAPES[slot.shape]}{f', in blocks of {slot.block}' if slot.block else ''}"
    start = "a copy of w" if slot.copies else written(slot.start) if isinstance(slot.start, float) else slot.start
    if slot.is_square and start != "0":
        start = "the identity" if start == "1" else f"{start} times the identity"
    if slot.given:
        start = f"given to update as {slot.given}"
    return Kept(name, shape, start, rule.ranges[name].condition(name) if name in rule.ranges else "")


# Facts, in words ------------------------------------------------------------------------------------------------------


def _facts(rule: Rule) -> Iterator[str]:
    yield _bits(rule)
    yield from _reach(rule)
    yield from _asks(rule)
    yield from _bound(rule)
    yield from _symmetries(rule)
    for other, numbers in rule.contains.items():
        given = listing([f"{name} = {written(x)}" for name, x in numbers.items()])
        yield f"With {given} it is {other}."


def _bits(rule: Rule) -> str:
    if rule.facts.matrix:
        return "Works on whole matrices, with NumPy's BLAS and LAPACK, whose bits depend on the machine."
    if rule.facts.exact:
        return "The same bits on every machine and in every backend."
    words = listing(sorted(inexact_words(rule)))
    return f"Up to 4 ulp apart from one machine to another, by {words}; all else has the same bits."


def _reach(rule: Rule) -> Iterator[str]:
    """What an element of the step depends on."""
    facts = rule.facts
    if facts.elementwise:
        yield "Element by element."
    elif facts.axes and not facts.matrix:
        yield "Has numbers of rows and columns, the last two axes."
    elif not facts.matrix:
        yield "Takes norms, means or sums of whole tensors."
    if rule.only_matrices:
        yield "Parameters of more than two axes go by the rule for vectors too."
    elif facts.matrix:
        yield "A tensor of more than two axes is a stack of matrices, in its last two."
    if rule.vectors is not None and rule.vectors.facts.matrix:
        yield "A vector is a matrix of one row."
    if facts.coupled:
        yield "Tensors depend on each other: some numbers are of all parameters together."
    if facts.model_numbers:
        yield f"Cannot differ between groups: {listing(facts.model_numbers)}."


def _asks(rule: Rule) -> Iterator[str]:
    """What it asks of those who use it."""
    facts = rule.facts
    if facts.needs_value:
        yield "Needs the loss: update(params, grads, value=loss)."
    if facts.takes_hessian:
        yield "Takes the diagonal of the Hessian, where there is one: update(params, grads, hessian=diagonal)."
    if rule.average:
        names = ", ".join(rule.average.names)
        shown = f"{rule.average.term.name}({names})" if rule.average.term else names
        yield f"Evaluated elsewhere than where gradients are taken: opt.averaged() shows {shown}."
    if not facts.step_sign:
        yield "Its last line is no step from w, so that links on the step cannot stand behind it."


def _bound(rule: Rule) -> Iterator[str]:
    first, last = (rule.step_bound(t) for t in (1, LONG))
    if last < float("inf"):
        most = number(last) if first == last else f"{number(first)} at t = 1, and {number(last)} at t = {LONG}"
        yield f"At its defaults no element of a step is larger than {most}, decay apart."


def _symmetries(rule: Rule) -> Iterator[str]:
    found = rule.symmetries
    at, scale_at = (f"With {listing(x)} at zero " if x else "" for x in (found.shifted_at, found.degree_at))
    if found.degree == 0 and at == scale_at:
        yield _begun(f"{at}neither the scale of the loss nor the origin of the parameter matters.")
        return
    if found.shifted:
        yield _begun(f"{at}the origin of the parameter does not matter.")
    if found.degree == 0:
        yield _begun(f"{scale_at}the scale of the loss does not matter either.")
    elif found.degree is not None:
        power = "" if found.degree == 1 else f" to the power {written(found.degree)}"
        yield _begun(f"{scale_at}the step grows with the scale of the loss{power}.")


def _begun(sentence: str) -> str:
    return sentence[0].upper() + sentence[1:]


def inexact_words(rule: Rule) -> set[str]:
    """Return what arrays meet in a text whose results differ between machines."""
    found = {
        x.word
        for step in rule.flat.steps
        for x in n.walk(step.expr)
        if isinstance(x, n.Call) and step.kind != STEP and not WORDS[x.word].exact
    }
    return {_WORDS.get(word, word) for word in found} or {"powers"}
