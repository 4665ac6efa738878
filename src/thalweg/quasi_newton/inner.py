"""Inner products in the one fixed order of `thalweg.words`, which a run that goes on elsewhere depends on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from thalweg.words import BLOCK, LANES, Array


def inner(a: Array, b: Array) -> float:
    """Return a . b for two vectors: the bits of `words.sum(a * b)` with products in float64, in a tenth of the time.

    NumPy adds along an axis that is not the innermost one row after the other, which is the order of a block's lanes.
    """
    with np.errstate(all="ignore"):
        products = np.multiply(a, b, dtype=np.float64)
        whole = 0 if products.size <= BLOCK else products.size // BLOCK * BLOCK
        rest = np.zeros(-(-(products.size - whole) // LANES) * LANES)
        rest[: products.size - whole] = products[whole:]
        last = np.add.reduce(rest.reshape(-1, LANES), axis=0)
        if not whole:
            return float(_folded(last.tolist()))
        lanes = np.add.reduce(products[:whole].reshape(-1, BLOCK // LANES, LANES), axis=1)
        blocks = _folded(np.vstack([lanes, last]).T)
        return float(np.add.accumulate(blocks)[-1])


def _folded(lanes: Sequence[Any] | Array) -> Any:
    """Return the sum of 16 lanes, halved again and again; a lane is a number, or an array with one for each block."""
    width = LANES
    while width > 1:
        width //= 2
        lanes = [lanes[k] + lanes[k + width] for k in range(width)]
    return lanes[0]


def largest(x: Array) -> float:
    """Return the largest absolute value of a vector; 0 where there is no element."""
    return float(np.abs(x).max(initial=0.0))
