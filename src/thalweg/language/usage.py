"""Checks of a whole text: everything that is declared is used, and what is declared fits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn

from thalweg.language import nodes as n
from thalweg.language.flatten import Flat
from thalweg.language.ranges import Range
from thalweg.language.state import Slot


def check_usage(
    text: n.Text,
    flat: Flat,
    slots: Mapping[str, Slot],
    defaults: Mapping[str, float | None],
    ranges: Mapping[str, Range],
) -> None:
    """Raise RuleError for an argument that changes nothing, a default out of range, or a start that does not exist."""

    def fail(problem: str) -> NoReturn:
        raise text.source.error(text.source.def_line, problem)

    used = _used(flat) | {slot.start for slot in slots.values() if isinstance(slot.start, str)}
    gradient = text.signature.arrays[1]
    if gradient not in used:
        fail(f"the gradient `{gradient}` changes neither the parameter nor a slot")
    if "value" in text.signature.numbers and "value" not in used:
        fail("the loss `value` changes neither the parameter nor a slot; take it out")
    for name, default in defaults.items():
        if name not in used:
            fail(f"the hyper-parameter `{name}` changes neither the parameter nor a slot; use it or take it out")
        if default is not None and default not in ranges[name]:
            condition = ranges[name].condition(name)
            fail(f"the default `{name} = {default!r}` is out of range, {condition}; `ranges=` declares another range")
    for name, slot in slots.items():
        if name not in used:
            fail(f"the slot `{name}` is written and its old value is never read; take it out")
        if isinstance(slot.start, str) and slot.start not in defaults:
            known = ", ".join(defaults) or "none"
            fail(
                f"the slot `{name}` starts at `{slot.start}`, which is no hyper-parameter of this text; it has: {known}"
            )


def _used(flat: Flat) -> set[str]:
    """Return the names that new values depend on."""
    used = {new for name, new in flat.outputs.items() if new != name}
    for step in reversed(flat.steps):
        if used & set(step.names):
            used |= {*n.names(step.expr), *(name for name, _ in step.guard)}
    return used
