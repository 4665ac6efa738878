"""A step by the meaning of a rule, tensor by tensor.

It is taken without Numba, for rules of whole matrices, and where a number cannot be computed: the error is Python's.

This is what the kernels are held against. All new values are computed before one is written.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg.engine.halves import compute_dtype, converted, copy_into, widened
from thalweg.rule import Rule


class _OpenError(Exception):
    """A total is asked for that not every tensor has given its number for yet."""


Result = tuple[Any, ...]


def evaluate(
    rule: Rule,
    params: Sequence[NDArray[Any]],
    grads: Sequence[NDArray[Any]],
    states: Sequence[dict[str, Any]],
    numbers: Sequence[Mapping[str, float]],
    shared: Mapping[str, float],
    masters: Sequence[NDArray[Any] | None] | None = None,
) -> list[Result]:
    """Return (new w, new state ...) of every tensor, w as it is before it is rounded; nothing is changed.

    params: any layout. grads: same shapes, cast to what the parameter is evaluated in. states: slot -> array or float.
    numbers: t and the hyper-parameters of each tensor, as the rule takes them. shared: slot -> number of the whole
    optimizer. masters: float32 copies of parameters of float16 and bfloat16 (see `thalweg.engine.halves`), or None.
    Raises NumberError if a number cannot be computed.
    """
    masters = masters or [None] * len(params)
    wide = [widened(w, master) for w, master in zip(params, masters, strict=True)]
    known: list[float] = []
    while True:
        terms: list[float] = []
        results = []
        for w, g, state, own in zip(wide, grads, states, numbers, strict=True):
            arrays = [w, cast(g, w.dtype), *((shared if s in shared else state)[s] for s in rule.slots)]
            with contextlib.suppress(_OpenError):
                results.append(rule.meaning(rule.lifted(arrays), own, _total(known, terms)))
        if not terms:
            return results
        added = 0.0
        for x in terms:
            added = added + x
        known.append(added)


def cast(gradient: Any, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return a gradient in the dtype that this parameter's is evaluated in; what is too large becomes an infinity."""
    return converted(gradient, compute_dtype(dtype))


def write(
    rule: Rule,
    results: Sequence[Result],
    params: Sequence[NDArray[Any]],
    states: Sequence[dict[str, Any]],
    shared: dict[str, float],
    masters: Sequence[NDArray[Any] | None] | None = None,
) -> None:
    """Write what `evaluate` returned into parameters, masters and state."""
    masters = masters or [None] * len(params)
    for w, master, state, result in zip(params, masters, states, results, strict=True):
        new = result[0].reshape(w.shape)
        if master is not None:
            master[...] = new
        copy_into(w, new)
        for slot, value in zip(rule.slots, result[1:], strict=True):
            if slot in shared:
                shared[slot] = float(value)
            elif rule.slots[slot].is_number:
                state[slot] = float(value)
            else:
                state[slot][...] = value.reshape(state[slot].shape)


def _total(known: Sequence[float], terms: list[float]) -> Callable[[float], float]:
    """Return the word `total` for one tensor: what is known, in the order of the text, then the one still open."""
    remaining = iter(known)

    def total(x: float) -> float:
        for value in remaining:
            return value
        terms.append(x)
        raise _OpenError

    return total
