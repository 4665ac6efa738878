"""From names to work: the state of each parameter, and what each rule has to do in a step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from thalweg.engine.finite import FiniteCheck, first_nonfinite
from thalweg.engine.gate import Gate
from thalweg.engine.interpreter import cast, evaluate, write
from thalweg.engine.numba_support import numba_available
from thalweg.engine.table import Table, Tensor
from thalweg.rule import Rule

Arrays = Sequence[NDArray[Any]]


@dataclass
class ParameterState:
    """What is kept for one parameter.

    rule: the rule that updates it. slots: slot -> array like the parameter in `order`, or float. missed: how many of
    the optimizer's steps it did not take part in, so that its own step count is the optimizer's less this.
    """

    rule: Rule
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    order: Literal["C", "F"]
    slots: dict[str, Any]
    missed: int


class Share:
    """The part of a step that one rule takes: its parameters, in the order of their names.

    positions: of the parameters among all names. states: theirs. Work is done by a table of kernels, or where there
    is none (no Numba, whole matrices) by the meaning.
    """

    def __init__(self, rule: Rule, gate: Gate, positions: Sequence[int], states: Sequence[ParameterState]) -> None:
        self.rule = rule
        self.positions = positions
        self.states = [state.slots for state in states]
        missed = [0 if rule.facts.coupled else state.missed for state in states]
        self._missed = sorted(set(missed))  # one set of numbers of the step for each count
        self._sets = [self._missed.index(m) for m in missed]
        self._wanted = rule.text.signature.numbers
        self._table: Table | None = None
        if numba_available() and not rule.facts.matrix:
            tensors = [
                Tensor(
                    index=i,
                    shape=state.shape,
                    dtype=state.dtype,
                    order=state.order,
                    state=state.slots,
                    numbers=own,
                    stage_param=bool(gate.stage_param[i]) or gate.orders[i] != state.order,
                    stage_grad=bool(gate.stage_grad[i]) or gate.orders[i] != state.order,
                )
                for i, state, own in zip(positions, states, self._sets, strict=True)
            ]
            self._table = Table(rule, gate.pointers, tensors, len(self._missed))
            sizes, itemsizes = [t.size for t in tensors], [t.dtype.itemsize for t in tensors]
            self._finite = FiniteCheck(self._table.pointers[:, 1], sizes, itemsizes)

    def fetch(self, params: Arrays, grads: Sequence[Any]) -> None:
        """Take the pointers of this step. params, grads: of all names."""
        if self._table is not None:
            self._table.fetch(params, grads)

    def first_nonfinite(self, params: Arrays, grads: Sequence[Any]) -> tuple[int, tuple[Any, ...]] | None:
        """Return (position among all names, index) of the first gradient element that is not finite, or None.

        An element that is too large for the parameter's dtype is an infinity in it.
        """
        if self._table is not None:
            found = self._finite.first_nonfinite()
            if found is None:
                return None
            tensor = self._table.tensors[found[0]]
            return tensor.index, np.unravel_index(found[1], tensor.shape, tensor.order)
        found = first_nonfinite([cast(grads[i], params[i].dtype) for i in self.positions])
        if found is None:
            return None
        position = self.positions[found[0]]
        return position, np.unravel_index(found[1], grads[position].shape)

    def prepare(
        self, params: Arrays, grads: Sequence[Any], numbers: Mapping[str, float], t: int, shared: dict[str, float]
    ) -> Callable[[], None]:
        """Compute all that can fail, and return the function that writes the step; before its call nothing changes.

        numbers: the hyper-parameters at this step. t: the number of this step. Raises NumberError.
        """
        known = {name: number for name, number in numbers.items() if name in self._wanted}
        sets = [known | {"t": t - missed} if "t" in self._wanted else known for missed in self._missed]
        hoisted = [self.rule.hoisted.numbers(own) for own in sets]
        table = self._table
        is_known = not any(soft for _, soft in hoisted)
        if table is not None and is_known and table.prepare([columns for columns, _ in hoisted], shared):
            return partial(table.finish, params, shared)
        mine = [params[i] for i in self.positions]
        own_numbers = [sets[i] for i in self._sets]
        results = evaluate(self.rule, mine, [grads[i] for i in self.positions], self.states, own_numbers, shared)
        return partial(write, self.rule, results, mine, self.states, shared)


class Binding:
    """One set of names: the gate that reads their arrays, and the share of each rule in a step.

    taking_part: positions of the names that have a gradient.
    """

    def __init__(self, rule: Rule, names: tuple[str, ...]) -> None:
        self.rule = rule
        self.names = names
        self.gate = Gate(names)
        self.taking_part: list[int] = []
        self.shares: list[Share] = []
        self._is_ready = False

    def watch(self, states: Mapping[str, ParameterState]) -> None:
        """Let gradients be copied that lie in the memory of state, which a step writes to as well."""
        self.gate.watch([a for s in states.values() for a in s.slots.values() if isinstance(a, np.ndarray)])

    def read(self, arrays: list[Any], gradients: list[Any]) -> bool:
        """Check all arrays and read their pointers; True if `derive` has to be called before the step."""
        changed = self.gate.read(arrays, gradients)
        self._is_ready = self._is_ready and not changed
        return not self._is_ready

    def fresh(
        self,
        states: Mapping[str, ParameterState],
        arrays: Arrays,
        gradients: Sequence[Any],
        numbers: Mapping[str, float],
        t: int,
    ) -> dict[str, ParameterState]:
        """Return the state of names that have none yet.

        numbers: the hyper-parameters, which slots may start at. t: the optimizer's steps so far. Raises ValueError for
        a parameter whose state was made for another array.
        """
        gate, new = self.gate, {}
        for i, gradient in enumerate(gradients):
            name, shape, dtype = self.names[i], gate.shapes[i], gate.dtypes[i]
            if gradient is None:
                continue
            rule = rule_for(self.rule, name, shape)
            known = states.get(name)
            if known is not None and (known.shape, known.dtype) == (shape, dtype):
                continue
            if known is not None and (rule.slots or known.slots):
                raise ValueError(
                    f"parameter {name!r} is {dtype} of shape {shape}, and its state was made for {known.dtype} of "
                    f"shape {known.shape}; use a new {self.rule.title} for another network, and another name for "
                    "another parameter"
                )
            order = gate.orders[i] if rule.facts.elementwise else "C"
            slots = {
                s: start(rule, s, numbers, arrays[i], order) for s in rule.slots if rule.slots[s].shape != "shared"
            }
            new[name] = ParameterState(rule, shape, dtype, order, slots, t if known is None else known.missed)
        return new

    def derive(self, states: Mapping[str, ParameterState], gradients: Sequence[Any]) -> None:
        """Lay out the work of the steps to come, until something changes."""
        self.taking_part = [i for i, g in enumerate(gradients) if g is not None]
        by_rule: dict[Rule, list[int]] = {}
        for i in self.taking_part:
            if self.gate.sizes[i]:
                by_rule.setdefault(states[self.names[i]].rule, []).append(i)
        self.shares = [
            Share(rule, self.gate, positions, [states[self.names[i]] for i in positions])
            for rule, positions in by_rule.items()
        ]
        self._is_ready = True


def rule_for(rule: Rule, name: str, shape: tuple[int, ...]) -> Rule:
    """Return the rule for a parameter of this shape: the rule itself, or the one that it names for vectors."""
    if len(shape) > 1:
        return rule
    if rule.vectors is not None:
        return rule.vectors
    if rule.facts.axes or rule.facts.matrix:
        raise ValueError(
            f"{rule.title} is a rule for matrices, with two axes or more, and {name!r} has shape {shape}; "
            f"the rule can name another one for vectors: @rule(vectors=...)"
        )
    return rule


def start(rule: Rule, name: str, numbers: Mapping[str, float], w: NDArray[Any] | None = None, order: Any = "C") -> Any:
    """Return a slot as it is before the first step: a float, or an array for the parameter w."""
    slot = rule.slots[name]
    if slot.copies:
        return np.array(w, order=order, subok=False)
    first = numbers[slot.start] if isinstance(slot.start, str) else float(slot.start)
    if slot.is_number or w is None:
        return first
    shapes = {"array": w.shape, "rows": (*w.shape[:-1], 1), "columns": (*w.shape[:-2], 1, *w.shape[-1:])}
    with np.errstate(over="ignore", under="ignore"):
        return np.full(shapes[slot.shape], first, w.dtype, order=order)
