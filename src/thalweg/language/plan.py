"""The order of work: which reductions are taken in which pass over memory, and which numbers stand between the passes.

Every pass reads the old values and computes again what it needs; only the last one writes. So nothing has changed when
a number turns out not to exist, and no pass needs memory for intermediate arrays.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from thalweg.language import nodes as n
from thalweg.language.flatten import Flat, Step
from thalweg.language.hoist import Hoisted
from thalweg.language.kinds import Kind


@dataclass(frozen=True)
class Pass:
    """One read of memory: `steps` are the array steps that it needs, in order.

    reductions: what it reduces; none in the last pass. writes: slot or parameter -> name of its new value; in the last
        pass only.
    """

    reductions: tuple[Step, ...]
    steps: tuple[Step, ...]
    writes: dict[str, str]


@dataclass(frozen=True)
class Plan:
    """Passes, and in front of each (`numbers[k]` of `passes[k]`) the numbers of tensors and of the model to compute.

    columns: names of the numbers known before the step. tensor_numbers: names of all numbers of tensors and of the
    model, in order, number slots first. kinds: of every name. number_writes: slot that is a number -> name of its new
    value.
    """

    columns: tuple[str, ...]
    tensor_numbers: tuple[str, ...]
    numbers: tuple[tuple[Step, ...], ...]
    passes: tuple[Pass, ...]
    kinds: dict[str, Kind]
    number_writes: dict[str, str]

    @property
    def axis_reductions(self) -> tuple[Step, ...]:
        """Reductions along one axis, whose results are kept in buffers between the passes."""
        return tuple(r for p in self.passes for r in p.reductions if not r.kind.is_number)


def make_plan(flat: Flat, hoisted: Hoisted) -> Plan:
    """Return the order of work of a rule without matrix words."""
    kinds = dict(hoisted.kinds)
    depth = dict.fromkeys(kinds, 0)
    for step in hoisted.steps:
        at = max((depth[name] for name in _reads(step)), default=0)
        reduces = step.word is not None and step.word != "total"
        depth |= dict.fromkeys(step.names, at + 1 if reduces else at)
    last = max((depth[name] for step in hoisted.steps for name in step.names), default=0)
    array_steps = [s for s in hoisted.steps if not s.kind.is_number and s.word is None]
    number_steps = [s for s in hoisted.steps if s.kind.is_number and s.word in (None, "total")]
    reductions = [s for s in hoisted.steps if s.word is not None and s.word != "total"]
    writes = {slot: new for slot, new in flat.outputs.items() if not kinds[slot].is_number and slot != new}
    passes = []
    for k in range(last):
        here = tuple(r for r in reductions if depth[r.names[0]] == k + 1)
        passes.append(Pass(here, needed(array_steps, (name for r in here for name in _reads(r))), {}))
    passes.append(Pass((), needed(array_steps, writes.values()), writes))
    slots = [name for name in flat.outputs if kinds[name].is_number]
    computed = [s.names[0] for s in hoisted.steps if s.kind.is_number]
    return Plan(
        columns=hoisted.columns,
        tensor_numbers=(*slots, *computed),
        numbers=tuple(tuple(s for s in number_steps if depth[s.names[0]] == k) for k in range(last + 1)),
        passes=tuple(passes),
        kinds=kinds,
        number_writes={name: flat.outputs[name] for name in slots},
    )


def _reads(step: Step) -> list[str]:
    """Return what a step reads; the guard of an array step is left out, since arrays are computed in either case."""
    guards = [name for name, _ in step.guard] if step.kind.is_number and step.word is None else []
    return [*n.names(step.expr), *guards]


def needed(steps: Sequence[Step], wanted: Iterable[str]) -> tuple[Step, ...]:
    """Return those steps, in order, that the wanted names depend on."""
    names = set(wanted)
    kept = []
    for step in reversed(steps):
        if names & set(step.names):
            kept.append(step)
            names |= set(n.names(step.expr))
    return tuple(reversed(kept))
