"""What generated kernels are made with: views of memory, selections, the fixed order of sums, and guarded division.

Imported by generated modules only; their file names hold a digest of this file, so that a change here makes new
kernels.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import carray

from thalweg.engine.kernels.memory import pointer
from thalweg.engine.policy import inlined

BLOCK = 4096
LANES = 16


@inlined
def view(address: Any, size: Any, dtype: Any) -> Any:
    """The `size` elements of memory at an address, as a one-dimensional array."""
    return carray(pointer(address), size, dtype)


@inlined
def table(context: Any, index: Any, dtype: Any) -> Any:
    """Table `index` of a context, which holds the address, the rows and the columns of each."""
    at = carray(pointer(context), 3 * (index + 1), np.intp)
    return carray(pointer(at[3 * index]), (at[3 * index + 1], at[3 * index + 2]), dtype)


# Selections: the same choices as in thalweg.words, so that NaN and both zeros come out alike.


@inlined
def maximum(a: Any, b: Any) -> Any:
    """Return a if a > b, and NaN if either is NaN; else b."""
    return a if (a > b) | (a != a) else b  # noqa: PLR0124


@inlined
def minimum(a: Any, b: Any) -> Any:
    """Return a if a < b, and NaN if either is NaN; else b."""
    return a if (a < b) | (a != a) else b  # noqa: PLR0124


@inlined
def clip(x: Any, low: Any, high: Any) -> Any:
    """`minimum(maximum(x, low), high)`."""
    return minimum(maximum(x, low), high)


@inlined
def sign(x: Any, zero: Any, one: Any) -> Any:
    """1, -1, or x itself where it is zero or NaN; zero and one in the dtype of x."""
    return one if x > zero else -one if x < zero else x


# Numbers of tensors: what raises in Python sets a trap here, and the step is then left to the meaning, which raises.


@inlined
def divide(a: Any, b: Any, trap: Any) -> Any:
    """Return a / b of numbers; Python raises for b = 0."""
    if b == 0.0:
        trap[0] = 1
        return math.nan
    return a / b


@inlined
def root(a: Any, trap: Any) -> Any:
    """The square root of a number; Python raises below 0."""
    if a < 0.0:
        trap[0] = 1
        return math.nan
    return math.sqrt(a)


# The fixed order of reductions (see thalweg.words): 16 lanes in a block, halved; blocks from left to right.


@inlined
def add_block(values: Any, start: Any, count: Any, lanes: Any) -> Any:
    """The sum of values[start : start + count], count <= 4096."""
    for k in range(LANES):
        lanes[k] = 0.0
    whole = count // LANES * LANES
    for i in range(0, whole, LANES):
        for k in range(LANES):
            lanes[k] += values[start + i + k]
    for k in range(count - whole):
        lanes[k] += values[start + whole + k]
    width = LANES
    while width > 1:
        width //= 2
        for k in range(width):
            lanes[k] += lanes[width + k]
    return lanes[0]


@inlined
def largest_block(values: Any, start: Any, count: Any, lanes: Any) -> Any:
    """The largest of values[start : start + count], count <= 4096; NaN if there is one."""
    for k in range(LANES):
        lanes[k] = -math.inf
    for i in range(count):
        lanes[i % LANES] = maximum(lanes[i % LANES], values[start + i])
    width = LANES
    while width > 1:
        width //= 2
        for k in range(width):
            lanes[k] = maximum(lanes[k], lanes[width + k])
    return lanes[0]


@inlined
def add_sequence(values: Any, count: Any, lanes: Any) -> Any:
    """The sum of values[:count], block by block."""
    out = add_block(values, 0, min(count, BLOCK), lanes)
    for start in range(BLOCK, count, BLOCK):
        out = out + add_block(values, start, min(count - start, BLOCK), lanes)
    return out


@inlined
def largest_sequence(values: Any, count: Any, lanes: Any) -> Any:
    """The largest of values[:count], block by block."""
    out = largest_block(values, 0, min(count, BLOCK), lanes)
    for start in range(BLOCK, count, BLOCK):
        out = maximum(out, largest_block(values, start, min(count - start, BLOCK), lanes))
    return out


# Passes over matrices: one row of elements is a line; lines are added to blocks, and rows of a matrix to 16 lanes of
# columns.


@inlined
def add_line(line: Any, count: Any, buffer: Any, filled: Any, partial: Any, row: Any, column: Any, lanes: Any) -> Any:
    """Append line[:count] to the block in `buffer`; a full block goes to `partial`.

    filled: the elements that are in the buffer, and the blocks that are done.
    """
    for c in range(count):
        buffer[filled[0]] = line[c]
        filled[0] += 1
        if filled[0] == BLOCK:
            partial[row + filled[1], column] = add_block(buffer, 0, BLOCK, lanes)
            filled[0] = 0
            filled[1] += 1


@inlined
def largest_line(
    line: Any, count: Any, buffer: Any, filled: Any, partial: Any, row: Any, column: Any, lanes: Any
) -> Any:
    """As `add_line`, for the largest element."""
    for c in range(count):
        buffer[filled[0]] = line[c]
        filled[0] += 1
        if filled[0] == BLOCK:
            partial[row + filled[1], column] = largest_block(buffer, 0, BLOCK, lanes)
            filled[0] = 0
            filled[1] += 1


@inlined
def add_rows(rows: Any, out: Any, is_first: Any) -> Any:
    """Halve 16 lanes of columns, add the result to `out` (or start it), and empty the lanes."""
    width = LANES
    while width > 1:
        width //= 2
        for k in range(width):
            for c in range(out.size):
                rows[k, c] += rows[width + k, c]
    for c in range(out.size):
        out[c] = rows[0, c] if is_first else out[c] + rows[0, c]
    rows[:, :] = 0.0


@inlined
def largest_rows(rows: Any, out: Any, is_first: Any) -> Any:
    """As `add_rows`, for the largest element."""
    width = LANES
    while width > 1:
        width //= 2
        for k in range(width):
            for c in range(out.size):
                rows[k, c] = maximum(rows[k, c], rows[width + k, c])
    for c in range(out.size):
        out[c] = rows[0, c] if is_first else maximum(out[c], rows[0, c])
    rows[:, :] = -math.inf
