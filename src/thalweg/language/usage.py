"""What is declared about a text fits it, and everything that is declared is used."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn

from thalweg.language import nodes as n
from thalweg.language.flatten import Flat
from thalweg.language.ranges import Range, is_finite, range_of
from thalweg.language.signature import is_given
from thalweg.language.state import Slot


def slots_of(text: n.Text, state: Mapping[str, Slot]) -> dict[str, Slot]:
    """Return every slot of a text; raises RuleError for a declared one that the text does not have."""
    names = text.signature.arrays[2:]
    for name, slot in state.items():
        if name not in names:
            _fail(text, f"`state=` names `{name}`, which is no slot of the text; it has: {', '.join(names) or 'none'}")
        if not isinstance(slot, Slot):
            kinds = 'full(start), copy("w"), number(start), shared(start), rows(), columns(), left() or right()'
            _fail(text, f"`state=` gives {slot!r} for `{name}`; use {kinds}")
    return {name: state.get(name, Slot()) for name in names}


def defaults_of(text: n.Text, other: Mapping[str, float]) -> dict[str, float | None]:
    """Return the default of every hyper-parameter: the text's, or another that is declared beside it."""
    own = {name: x for name, x in text.signature.numbers.items() if not is_given(name)}
    for name, x in other.items():
        if name not in own:
            _fail(text, f"`{name}` is no hyper-parameter of this text; it has: {', '.join(own) or 'none'}")
        if not is_finite(x):
            _fail(text, f"the default of `{name}` is a finite number, not {x!r}")
    return own | {name: float(x) for name, x in other.items()}


def ranges_of(
    text: n.Text, given: Mapping[str, str], defaults: Mapping[str, float | None], slots: Mapping[str, Slot]
) -> dict[str, Range]:
    """Return the range of every hyper-parameter: what is declared, or what belongs to its name; and of declared slots.

    What a slot of the rule can hold, such as `[0, inf)` for a sum of squares, is what checkpoints are held against.
    """
    for name in given:
        if name not in defaults and name not in slots:
            known = ", ".join([*defaults, *slots]) or "none"
            problem = f"`ranges=` names `{name}`, which is no hyper-parameter or slot of this text; it has: {known}"
            _fail(text, problem)
    try:
        ranges = {name: range_of(name) for name in defaults}
        ranges |= {slot.block: Range.parse("whole [1, inf)") for slot in slots.values() if slot.block}
        ranges |= {name: Range.parse(x) for name, x in given.items()}
    except ValueError as error:
        _fail(text, f"`ranges=`: {error}")
    for name, default in defaults.items():
        if default is not None and default not in ranges[name]:
            condition = ranges[name].condition(name)
            _fail(text, f"the default `{name} = {default!r}` is out of range, {condition}; `ranges=` declares another")
    return ranges


def check_usage(text: n.Text, flat: Flat, slots: Mapping[str, Slot], defaults: Mapping[str, float | None]) -> None:
    """Raise RuleError for an argument that changes nothing, or for a slot that starts at what does not exist."""
    for name, new in flat.outputs.items():
        slot = slots.get(name)
        if new == name and not (slot and (slot.copies or slot.given)):
            problem = "is never written; assign its new value, or take it out of the arguments"
            what = "slot" if slot else "parameter"
            raise text.source.error(text.return_line, f"the {what} `{name}` {problem}")
    used = _used(flat) | {slot.start for slot in slots.values() if isinstance(slot.start, str)}
    gradient = text.signature.arrays[1]
    if gradient not in used:
        _fail(text, f"the gradient `{gradient}` changes neither the parameter nor a slot")
    for name, what in (("value", "the loss"), ("fresh", "the number")):
        if name in text.signature.numbers and name not in used:
            _fail(text, f"{what} `{name}` changes neither the parameter nor a slot; take it out")
    for name in defaults:
        if name not in used:
            _fail(text, f"the hyper-parameter `{name}` changes neither the parameter nor a slot; use it or take it out")
    for name, slot in slots.items():
        if name not in used:
            _fail(text, f"the slot `{name}` is written and its old value is never read; take it out")
        for what, number in (("starts at", slot.start), ("is in blocks of", slot.block)):
            if isinstance(number, str) and number and number not in defaults:
                known = ", ".join(defaults) or "none"
                problem = f"{what} `{number}`, which is no hyper-parameter of this text; it has: {known}"
                _fail(text, f"the slot `{name}` {problem}")


def _used(flat: Flat) -> set[str]:
    """Return the names that new values depend on."""
    used = {new for name, new in flat.outputs.items() if new != name}
    for step in reversed(flat.steps):
        if used & set(step.names):
            used |= {*n.names(step.expr), *(name for name, _ in step.guard)}
    return used


def _fail(text: n.Text, problem: str) -> NoReturn:
    raise text.source.error(text.source.def_line, problem)
