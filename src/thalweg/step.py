"""One step: from containers to numbers and work, and what changes with it."""

from __future__ import annotations

import numbers
import operator
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg.assembly import Assembly
from thalweg.binding import Binding, Finish, ParameterState, Share, start
from thalweg.engine.halves import compute_dtype
from thalweg.errors import NonFiniteError
from thalweg.interrupts import deferred
from thalweg.rule import Rule
from thalweg.tree import DIAGONALS, Leaves, check_names, leaves, matching, rebind

MOST_BINDINGS = 8
"""How many sets of names are remembered: networks that one optimizer trains in turn."""


class Stepper:
    """Takes the steps of an optimizer, and holds everything that changes with them.

    t: steps taken. skipped: steps left out. gathered: gradients gathered since the last step. changes: counts
    everything that changes state. states, shared: by name. cells: the arrays that stand for numbers.
    """

    def __init__(self, assembly: Assembly, *, master: bool) -> None:
        self.assembly = assembly
        self.master = master
        self.t = 0
        self.skipped = 0
        self.gathered = 0
        self.changes = 0
        self.states: dict[str, ParameterState] = {}
        self.shared: dict[str, float] = {}
        self.cells: dict[str, NDArray[Any]] = {}
        self.bindings: dict[tuple[str, ...], Binding] = {}  # of the last steps, the newest last
        self._needs_value = assembly.needs_value
        self._takes_hessian = any(rule.facts.takes_hessian for _, rule in assembly.rules)
        self._measures = bool(assembly.recipe.measures)
        self._shared_slots = [
            (k, rule, name) for k, rule in assembly.rules for name, slot in rule.slots.items() if slot.shape == "shared"
        ]
        self._matched: set[str] = set()  # patterns of groups that have matched a name
        self._every = assembly.name_of("accumulate", "every")
        self._count_name = assembly.name_of("accumulate", "count")

    def take(self, params: Any, grads: Any, value: float | None, nonfinite: str, hessian: Any = None) -> None:
        """Take a step, or gather for one; see `Optimizer.update`. Whatever is raised, nothing has changed then."""
        found = leaves(params, self.cells)
        binding = self._bound(found)
        gradients = matching(found.names, grads, params, binding.frozen)
        arrays = found.arrays
        if self.gathered:
            self._check_window(found.names)
        if binding.frozen:
            arrays = [arrays[i] for i in binding.active]
            gradients = [gradients[i] for i in binding.active]
        numbers_now = self._numbers(value, is_fresh=hessian is not None)
        is_step = self._every is None or self.gathered + 1 >= numbers_now[-1][self._every]
        if is_step and self._every is not None:
            for one in numbers_now:  # may have been set within the window: the mean is that of what was gathered
                one[self._every] = self.gathered + 1
        if is_step and self.gathered:
            gradients = [self._pending(binding, i, g, arrays[i]) for i, g in enumerate(gradients)]
        # Not kept until the step is taken: what a failed one has derived may hold state that does not last.
        self.bindings.pop(found.names, None)
        fresh: dict[str, ParameterState] = {}
        shared = dict(self.shared) if self.shared or not self._shared_slots else self._first_shared(numbers_now)
        if binding.read(arrays, gradients):
            binding.check_frozen(found.arrays)
            fresh = binding.fresh(self.states, arrays, gradients, numbers_now, self.t, master=self.master)
            binding.derive(self.states | fresh, gradients)
        if hessian is not None:
            self._put_hessian(binding, found, hessian, params, self.states | fresh)
        shares = binding.steps if is_step else binding.holds
        drawn = ((self.t + 1) << 32) + self.gathered
        for share in shares:
            share.fetch(arrays, gradients, drawn)
        if nonfinite != "allow" and not _are_finite(binding, shares, arrays, gradients, skips=nonfinite == "skip"):
            self.skipped += 1
            if not fresh:
                self.bindings[found.names] = binding
            return
        if self._measures and not self._measure(shares, arrays, gradients, numbers_now, shared, nonfinite):
            self.skipped += 1
            return
        ends = [share.work.prepare(arrays, gradients, numbers_now, self.t + 1, shared) for share in shares]
        new = {
            "t": self.t + is_step,
            "gathered": 0 if is_step else self.gathered + 1,
            "changes": self.changes + 1,
            "shared": shared,
        }
        binding.as_of = self.changes + 1
        self._write(ends, new, binding, found, fresh, is_step=is_step)

    def _put_hessian(
        self, binding: Binding, found: Leaves, hessian: Any, params: Any, states: Mapping[str, ParameterState]
    ) -> None:
        """Copy the diagonal of the Hessian to where rules read it, which is no state; raises for what does not fit."""
        given = matching(found.names, hessian, params, binding.frozen, DIAGONALS)
        for i in binding.taking_part:
            name, state = binding.names[i], states[binding.names[i]]
            diagonal = given[binding.active[i]]
            slots = [slot for slot, s in state.rule.slots.items() if s.given]
            if diagonal is None and slots:
                problem = f"hessian lacks {name!r}"
                raise ValueError(f"{problem}; give it for every parameter that has a gradient, or for none")
            for slot in slots:
                array = np.asarray(diagonal)
                if array.shape != state.shape or array.dtype.kind not in "fiu":
                    raise ValueError(
                        f"hessian[{name!r}] is {array.dtype} of shape {array.shape}; the diagonal of the Hessian has "
                        f"one real number for each element of the parameter, {state.shape}"
                    )
                if not np.isfinite(array).all():
                    raise NonFiniteError(f"hessian[{name!r}] holds a NaN or an infinity; nothing has changed")
                is_turned = state.rule.slots[slot].flipped
                state.slots[slot][...] = np.swapaxes(array, -1, -2) if is_turned else array

    def _measure(
        self,
        shares: Sequence[Share],
        arrays: Sequence[NDArray[Any]],
        gradients: Sequence[Any],
        numbers_now: Sequence[dict[str, float]],
        shared: Mapping[str, float],
        nonfinite: str,
    ) -> bool:
        """Add to the numbers of the step those of all parameters that links ask for; False to leave the step out."""
        for k in range(max((len(share.measures) for share in shares), default=0)):
            name = shares[0].measures[k][0]
            total = 0.0
            for share in shares:
                total += share.measures[k][1].number(name, arrays, gradients, numbers_now, self.t + 1, shared)
            if not np.isfinite(total) and nonfinite == "skip":
                return False
            if not np.isfinite(total) and nonfinite == "raise":
                raise NonFiniteError(
                    f"the sum of squares of all gradients is {total}, too large for float64; nothing has changed"
                )
            for one in numbers_now:
                one[name] = total
        return True

    def _write(
        self,
        ends: Sequence[Finish],
        new: Mapping[str, Any],
        binding: Binding,
        found: Leaves,
        fresh: Mapping[str, ParameterState],
        *,
        is_step: bool,
    ) -> None:
        """Write the step, and what counts it: nothing fails from here on, and no interrupt falls in between.

        Either all of it is one call of compiled code, which Python's signal handlers wait for, or they are made to.
        """
        put: Callable[[], object] = partial(self.__dict__.update, new)
        keep: Callable[[], object] = partial(self.bindings.__setitem__, found.names, binding)
        calls = (*(call for end in ends for call in end.calls), put, keep)
        is_plain = not fresh and not found.numbers and len(binding.taking_part) == len(self.states)
        if is_plain and all(end.is_compiled for end in ends):
            _call_all(calls)
            return
        with deferred():
            _call_all(calls)
            while len(self.bindings) > MOST_BINDINGS:
                del self.bindings[next(iter(self.bindings))]
            rebind(found.numbers)
            if fresh:
                self.states.update(fresh)
                binding.watch(self.states)
                self._note_state()
            if is_step:
                self._count_missed(binding)

    def take_over(self, counts: Mapping[str, int], states: dict[str, ParameterState], shared: dict[str, float]) -> None:
        """Go on from a state that has been checked."""
        self.t, self.skipped, self.gathered = (counts[name] for name in ("t", "skipped", "gathered"))
        self.states, self.shared = states, shared
        self._note_state()
        self.bindings.clear()
        self.changes += 1

    def _note_state(self) -> None:
        for group in self.assembly.groups:
            if group.hyper is not None:
                group.hyper.has_state = bool(self.states)

    def frozen(self, params: Any) -> frozenset[str]:
        """Return the names that no step moves."""
        return Binding(self.assembly.groups, leaves(params, {}).names).frozen

    def _bound(self, found: Leaves) -> Binding:
        """Return the binding of these names: that of the last step, or a new one."""
        binding = self.bindings.get(found.names)
        if binding is not None:
            if binding.as_of != self.changes:
                binding.refresh(self.states)
            return binding
        check_names(found.names)
        binding = Binding(self.assembly.groups, found.names)
        self._matched |= binding.matched
        self.assembly.check_patterns(self._matched, found.names)
        binding.watch(self.states)
        return binding

    def _numbers(self, value: float | None, *, is_fresh: bool) -> list[dict[str, float]]:
        """Return the numbers of each group at this step. is_fresh: whether there is a Hessian."""
        if is_fresh and not self._takes_hessian:
            raise TypeError(f"{self.assembly.recipe.rule.title} makes no use of a Hessian; leave `hessian` out")
        base = self.assembly.hyper.at(self.t + 1)
        found: list[dict[str, float]] = [base] if len(self.assembly.groups) == 1 else []
        for group in () if found else self.assembly.groups:
            is_base = group.hyper is None or group.hyper is self.assembly.hyper
            found.append(base if is_base else group.hyper.at(self.t + 1, base))  # type: ignore[union-attr]
        if self._needs_value:
            loss = _checked_loss(self.assembly.recipe.rule, value)
            for one in found:
                one["value"] = loss
        if self._takes_hessian:
            for one in found:
                one["fresh"] = float(is_fresh)
        return found

    def _first_shared(self, numbers_now: Sequence[Mapping[str, float]]) -> dict[str, float]:
        return {slot: start(rule, slot, numbers_now[k]) for k, rule, slot in self._shared_slots}

    def _check_window(self, names: tuple[str, ...]) -> None:
        """Raise ValueError if a parameter that has gathered gradients is not given until they are used."""
        given = set(names)
        for name, state in self.states.items():
            if name not in given and state.slots.get(self._count_name or ""):
                raise ValueError(
                    f"parameter {name!r} has gathered gradients since the last step, and is not given now; give all "
                    "parameters in each call, with None for a gradient that there is not"
                )

    def _pending(self, binding: Binding, i: int, gradient: Any, array: NDArray[Any]) -> Any:
        """Return a gradient of zeros for a parameter that has none now, and gathered some since the last step."""
        state = self.states.get(binding.names[i])
        if gradient is not None or state is None or not state.slots.get(self._count_name or ""):
            return gradient
        return np.broadcast_to(np.zeros((), array.dtype), array.shape)

    def _count_missed(self, binding: Binding) -> None:
        took_part = {binding.names[i] for i in binding.taking_part}
        for name, state in self.states.items():
            if name not in took_part:
                state.missed += 1


def _are_finite(
    binding: Binding, shares: Sequence[Share], arrays: Sequence[NDArray[Any]], gradients: Sequence[Any], *, skips: bool
) -> bool:
    """Look at all gradients: True if they are finite, False to leave the step out, or the error."""
    for share in shares:
        found = share.work.first_nonfinite(arrays, gradients)
        if found is None:
            continue
        if skips:
            return False
        position, place = found
        where = f" at [{', '.join(str(int(i)) for i in place)}]" if len(place) else ""
        element = gradients[position][place]
        too_large = f", too large for {compute_dtype(arrays[position].dtype)}" if np.isfinite(element) else ""
        raise NonFiniteError(
            f"the gradient of {binding.names[position]!r} is {element}{where}{too_large}; nothing has "
            "changed. A usual cause is a rate that is too large. "
            'nonfinite="skip" leaves such steps out, "allow" does not look'
        )
    return True


def _checked_loss(rule: Rule, value: float | None) -> float:
    if value is None:
        raise TypeError(f"{rule.title} needs the loss of the step: update(params, grads, value=loss)")
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(
            f"the loss given to {rule.title} is of type {type(value).__name__}; give a number: value=float(loss)"
        )
    number = float(value)
    if not np.isfinite(number):
        raise NonFiniteError(f"the loss given to {rule.title} is {number}; nothing has changed")
    return number


def _call_all(calls: Iterable[Callable[[], object]]) -> None:
    """Call them one after the other, from compiled code that no signal handler runs in between."""
    results: Iterator[object] = map(operator.call, calls)
    deque(results, maxlen=0)
