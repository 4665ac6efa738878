"""The caller's parameters and function, as a vector that moves and a function of it."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from thalweg.engine.arrays import check_parameter
from thalweg.engine.gate import Gate
from thalweg.engine.halves import compute_dtype, converted
from thalweg.errors import NonFiniteError
from thalweg.interrupts import deferred
from thalweg.quasi_newton.memory import Leaf, Leaves, parts, vector_dtype
from thalweg.tree import check_names, leaves, matching, rebind
from thalweg.words import Array

Closure = Callable[[Any], tuple[float, Any]]

_UNCHANGED = "nothing has changed"


class Point(NamedTuple):
    """What the function says of one place. The gradient is an array of its own."""

    value: float
    gradient: Array


class Ground:
    """The parameters of one call, and the function over them.

    Parameters are written to for each evaluation: `go_back` puts everything back, and `stay` leaves them where `settle`
    was last. Raises TypeError or ValueError for what cannot be updated.
    """

    def __init__(self, params: Any, closure: Closure) -> None:
        self._params, self._closure = params, closure
        self._found = leaves(params, {})
        check_names(self._found.names)
        for name, array in zip(self._found.names, self._found.arrays, strict=True):
            check_parameter(name, array)
            if compute_dtype(array.dtype) != array.dtype:
                raise TypeError(
                    f"parameter {name!r} has dtype {array.dtype}, and LBFGS works on float32 and float64: in half "
                    "precision the differences of gradients that it lives on are rounding errors; give "
                    ".astype(np.float32)"
                )
        self._gate = Gate(self._found.names)
        self._before = [array.copy() for array in self._found.arrays]
        self._numbers_before = [(n, n.container[n.key]) for n in self._found.numbers]
        self.evaluations = 0
        self.leaves: Leaves = ()
        self._arrays: list[Array] = []  # of the leaves, the caller's own
        self._places: list[Array] = []  # of the leaves, where they have settled

    def first(self, known: Leaves | None) -> Point:
        """Evaluate where the parameters are. Those with a gradient take part, and are the leaves from now on.

        known: the leaves of the calls before, which have to be the same.
        """
        value, gradients = self._ask()
        at = {name: i for i, name in enumerate(self._found.names) if gradients[i] is not None}
        if known is not None and {leaf.name for leaf in known} == set(at):
            at = {leaf.name: at[leaf.name] for leaf in known}  # a dict in another order holds the same vector
        arrays = self._found.arrays
        self.leaves = tuple(Leaf(name, arrays[i].shape, arrays[i].dtype) for name, i in at.items())
        if known is not None and self.leaves != known:
            raise ValueError(f"{_difference(known, self.leaves)}; take a new LBFGS for other parameters")
        self._arrays = [arrays[i] for i in at.values()]
        self._places = [self._before[i] for i in at.values()]
        cells = set(map(id, self._arrays))
        self._numbers = [n for n in self._found.numbers if id(n.cell) in cells]
        return Point(value, self._vector(gradients))

    def at(self, step: float, direction: Array) -> Point:
        """Evaluate so far along a direction from where the parameters have settled."""
        self._put(self._beyond(step, direction))
        value, gradients = self._ask()
        given = {name for name, g in zip(self._found.names, gradients, strict=True) if g is not None}
        odd = sorted(given ^ {leaf.name for leaf in self.leaves})
        if odd:
            now, then = ("has a gradient", "None") if odd[0] in given else ("is None", "a gradient")
            raise ValueError(
                f"the gradient of {odd[0]!r} {now} at evaluation {self.evaluations} of this call, and was {then} at "
                f"the first; return the same ones each time. {_UNCHANGED.capitalize()}"
            )
        return Point(value, self._vector(gradients))

    def settle(self, step: float, direction: Array) -> None:
        """Move so far along a direction."""
        self._places = self._beyond(step, direction)

    def stay(self) -> None:
        """Write where the parameters have settled to the caller's arrays and containers."""
        if self._places:
            self._put(self._places)

    def go_back(self) -> None:
        """Put everything back to where it was before the call."""
        with deferred():
            for array, old in zip(self._found.arrays, self._before, strict=True):
                array[...] = old
            for number, value in self._numbers_before:
                number.container[number.key] = value

    def _beyond(self, step: float, direction: Array) -> list[Array]:
        """Return the leaves so far along a direction, each in its own dtype."""
        moved = []
        with np.errstate(all="ignore"):
            for leaf, place, part in zip(self.leaves, self._places, parts(self.leaves, direction), strict=True):
                there = np.asarray(place + step * part).astype(leaf.dtype, copy=False)
                if not np.isfinite(there).all():
                    where, element = _first_nonfinite(there)
                    raise NonFiniteError(
                        f"a step of length {step} takes {leaf.name!r} to {element}{where}; {_UNCHANGED}. {_CAUSE}"
                    )
                moved.append(there)
        return moved

    def _put(self, places: Sequence[Array]) -> None:
        for array, place in zip(self._arrays, places, strict=True):
            array[...] = place
        rebind(self._numbers)

    def _ask(self) -> tuple[float, list[Any]]:
        """Call the caller's function; return its value, and its gradients by position."""
        self.evaluations += 1
        value, grads = _pair(self._closure(self._params))
        gradients = matching(self._found.names, grads, self._params)
        self._gate.read(self._found.arrays, gradients)
        return self._value(value), gradients

    def _value(self, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, numbers.Real):
            raise TypeError(
                f"the value that the closure returned is of type {type(value).__name__}; return a number: float(loss)"
            )
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            raise NonFiniteError(f"the value is {number}{self._when()}; {_UNCHANGED}. {_CAUSE}")
        return number

    def _vector(self, gradients: Sequence[Any]) -> Array:
        """Return the gradients of the leaves as one vector."""
        given = dict(zip(self._found.names, gradients, strict=True))
        dtype = vector_dtype(self.leaves)
        vector = np.empty(sum(leaf.size for leaf in self.leaves), dtype)
        for leaf, part in zip(self.leaves, parts(self.leaves, vector), strict=True):
            part[...] = converted(given[leaf.name], dtype)
            if not np.isfinite(part).all():
                where, _ = _first_nonfinite(part)
                element = np.asarray(given[leaf.name])[~np.isfinite(part)].flat[0]
                large = f", too large for {dtype}" if np.isfinite(element) else ""
                raise NonFiniteError(
                    f"the gradient of {leaf.name!r} is {element}{where}{large}{self._when()}; {_UNCHANGED}. {_CAUSE}"
                )
        return vector

    def _when(self) -> str:
        return "" if self.evaluations == 1 else f", at evaluation {self.evaluations} of this call"


_CAUSE = "A usual cause is a step that is too long; a smaller lr makes the first one of each line search shorter"


def _pair(returned: Any) -> tuple[Any, Any]:
    if isinstance(returned, tuple | list) and len(returned) == 2:
        return returned[0], returned[1]
    kind = type(returned).__name__
    raise TypeError(f"a closure returns (value, grads), the loss and the gradients; this one returned a {kind}")


def _first_nonfinite(array: Array) -> tuple[str, Any]:
    """Return where the first NaN or infinity stands, for a message, and what it is."""
    place = tuple(map(int, np.argwhere(~np.isfinite(array))[0]))
    return f" at {list(place)}" if place else "", array[place]


def _difference(known: Leaves, now: Leaves) -> str:
    """Say in what the parameters of this call differ from those before."""
    then, here = {leaf.name: leaf for leaf in known}, {leaf.name: leaf for leaf in now}
    for name in (*then, *here):
        if name not in here:
            return f"parameter {name!r} took part in the calls before, and now has no gradient or is not given"
        if name not in then:
            return f"parameter {name!r} has a gradient now, and took no part in the calls before"
        old, new = then[name], here[name]
        if old != new:
            return f"parameter {name!r} is {new.dtype} of shape {new.shape}, and was {old.dtype} of shape {old.shape}"
    raise AssertionError("they are the same")
