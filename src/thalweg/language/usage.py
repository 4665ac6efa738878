"""Checks of a whole text: everything that is declared is used, and what is declared fits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from thalweg.language import nodes as n
from thalweg.language.flatten import Flat
from thalweg.language.parse import Text
from thalweg.language.ranges import Range
from thalweg.language.state import Slot

if TYPE_CHECKING:
    from thalweg.rule import Rule


def check_usage(
    text: Text,
    flat: Flat,
    slots: Mapping[str, Slot],
    defaults: Mapping[str, float | None],
    ranges: Mapping[str, Range],
    vectors: Rule | None,
) -> None:
    """Raise RuleError for a hyper-parameter that nothing reads, a default out of range, or a start that does not exist."""

    def fail(problem: str) -> Any:
        raise text.source.error(text.source.first_line, problem)

    read = {name for step in flat.steps for name in [*n.names(step.expr), *(g for g, _ in step.guard)]} | set(
        flat.outputs.values()
    )
    read |= {slot.start for slot in slots.values() if isinstance(slot.start, str)}
    gradient = text.signature.arrays[1]
    if gradient not in read:
        fail(f"the gradient `{gradient}` is never used")
    for name, default in defaults.items():
        if name not in read:
            fail(f"the hyper-parameter `{name}` is never used; use it or take it out")
        if default is not None and default not in ranges[name]:
            fail(
                f"the default `{name} = {default!r}` is out of range: {ranges[name].condition(name)}; `ranges=` declares another range"
            )
    if text.signature.numbers.get("t") is not None or text.signature.numbers.get("value") is not None:
        fail("`t` is the step count and `value` the loss: they are given at each step and have no default")
    for name, slot in slots.items():
        if name not in read and not slot.copies:
            fail(f"the slot `{name}` is written and never read; take it out")
        if isinstance(slot.start, str) and not slot.copies and slot.start not in defaults:
            fail(
                f"the slot `{name}` starts at `{slot.start}`, which is no hyper-parameter; there are {', '.join(defaults) or 'none'}"
            )
    if vectors is not None and any(step.word == "total" for step in flat.steps):
        fail("a rule with `total` takes all tensors of the model and cannot leave vectors to another rule")
