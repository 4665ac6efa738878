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
) -> list[Result]:
    """Return (new w, new state ...) of every tensor; nothing is changed.

    params: any layout. grads: same shapes, cast to the parameter's dtype. states: slot -> array or float. numbers: t
    and the hyper-parameters of each tensor, as the rule takes them. shared: slot -> number of the whole optimizer.
    Raises NumberError if a number cannot be computed.
    """
    known: list[float] = []
    while True:
        terms: list[float] = []
        results = []
        for w, g, state, own in zip(params, grads, states, numbers, strict=True):
            arrays = [w, cast(g, w.dtype), *((shared if s in shared else state)[s] for s in rule.slots)]
            lifted = [np.atleast_1d(a) if isinstance(a, np.ndarray) else a for a in arrays]
            with contextlib.suppress(_OpenError):
                results.append(rule.meaning(lifted, own, _total(known, terms)))
        if not terms:
            return results
        added = 0.0
        for x in terms:
            added = added + x
        known.append(added)


def cast(gradient: Any, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return a gradient in the dtype of its parameter; what is too large becomes an infinity."""
    with np.errstate(over="ignore", under="ignore"):
        return np.asarray(gradient).astype(dtype, copy=False)


def write(
    rule: Rule,
    results: Sequence[Result],
    params: Sequence[NDArray[Any]],
    states: Sequence[dict[str, Any]],
    shared: dict[str, float],
) -> None:
    """Write what `evaluate` returned into parameters and state."""
    for w, state, result in zip(params, states, results, strict=True):
        w[...] = result[0].reshape(w.shape)
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
