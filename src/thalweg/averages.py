"""Averages in the place of parameters, for a while."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from thalweg.binding import ParameterState
from thalweg.engine.arrays import check_parameter
from thalweg.engine.halves import copy_into
from thalweg.tree import check_names, leaves, rebind


class Swap:
    """Parameters of which those with an average are to show it. Raises for parameters that the averages do not fit.

    slot: the slot of the average. t: the optimizer's steps.
    """

    def __init__(self, params: Any, states: Mapping[str, ParameterState], slot: str, t: int) -> None:
        found = leaves(params, {})
        check_names(found.names)
        self._pairs = []
        for name, array in zip(found.names, found.arrays, strict=True):
            state = states.get(name)
            if state is None or state.missed == t:  # it has taken no step, and may have gathered gradients for one
                continue
            check_parameter(name, array)
            average = state.slots[slot]
            if array.shape != average.shape:
                raise ValueError(
                    f"parameter {name!r} has shape {array.shape}, and its average was made for {average.shape}"
                )
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
