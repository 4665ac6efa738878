"""Averages in the place of parameters, for a while."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from thalweg.binding import MASTER, Group, ParameterState, recipe_at
from thalweg.engine.arrays import check_parameter
from thalweg.engine.halves import copy_into, widened
from thalweg.tree import check_names, leaves, rebind


class Swap:
    """Parameters of which those with an average are to show it. Raises for parameters that the averages do not fit.

    label: of the average. groups: of parameters. shared: numbers of the whole model. t: the optimizer's steps.
    """

    def __init__(
        self,
        params: Any,
        states: Mapping[str, ParameterState],
        label: str,
        groups: Sequence[Group],
        shared: Mapping[str, float],
        t: int,
    ) -> None:
        found = leaves(params, {})
        check_names(found.names)
        self._pairs = []
        for name, array in zip(found.names, found.arrays, strict=True):
            state = states.get(name)
            if state is None or state.missed == t:  # it has taken no step, and may have gathered gradients for one
                continue
            check_parameter(name, array)
            if array.shape != state.shape:
                raise ValueError(
                    f"parameter {name!r} has shape {array.shape}, and its average was made for {state.shape}"
                )
            group = groups[state.group]
            shown = recipe_at(group, name, state.shape).averages.get(label)
            if shown is None or group.hyper is None:
                continue
            w = state.rule.text.signature.arrays[0]
            wide = widened(array, state.slots.get(MASTER))
            slots = {slot: _as_parameter(state, slot) for slot in state.slots}
            average = shown.of({**group.hyper.at(max(1, t - state.missed)), **shared, **slots, w: wide})
            self._pairs.append((array, average, array.copy()))
        if not self._pairs:
            raise ValueError(f"none of these parameters has an average: {', '.join(map(repr, found.names)) or 'none'}")
        self._numbers = found.numbers
        self._old = [n.container[n.key] for n in found.numbers]

    def show(self) -> None:
        """Put the averages in place."""
        for array, average, _ in self._pairs:
            copy_into(array, average)
        rebind(self._numbers)

    def restore(self) -> None:
        """Put everything back; what cannot be written any more is left, and raised at the end."""
        failure: Exception | None = None
        for array, _, before in self._pairs:
            try:
                array[...] = before
            except ValueError as error:  # made read-only meanwhile
                failure = error
        for number, old in zip(self._numbers, self._old, strict=True):
            number.container[number.key] = old
        if failure is not None:
            raise failure


def _as_parameter(state: ParameterState, name: str) -> Any:
    """Return a slot in the parameter's layout, which for rules of the other one is not that of their text."""
    slot, value = state.rule.slots.get(name), state.slots[name]
    return value if slot is None or not slot.flipped or slot.is_number else np.swapaxes(value, -1, -2)
