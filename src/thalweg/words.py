"""The words that rules are written in, as plain NumPy: this file is what they mean.

Every word takes arrays (at least one dimension, float32 or float64, all of one dtype) and Python floats. Applied to
arrays it returns an array of the same dtype; applied to floats alone it returns a float, so that a number never turns a
float32 array into float64. A word is exact if IEEE 754 fixes its result (selections, `sqrt`, `abs`); `exp log tanh cbrt
atan2 power` are inexact: another backend may differ by 4 units in the last place.

Reductions convert each element to float64 and add in one fixed order, so that every backend and any number of threads
gives the same bits: blocks of 4096 elements in logical C order; inside a block 16 lanes that start at zero, lane k
taking the elements k, k + 16, ...; the lanes are halved (lane k plus lane k + 8, then + 4, + 2, + 1); blocks are added
from left to right.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Value = Any  # an array or a Python float; the language checks kinds before anything runs

BLOCK = 4096
LANES = 16

__all__ = [
    "abs", "amax", "atan2", "blocks", "cbrt", "clip", "eigh", "exp", "eye", "log", "maximum", "mean", "minimum",
    "ncols", "norm", "nrows", "power", "qr", "rms", "sign", "sorting", "sqrt", "square", "sum", "tanh", "total",
    "transpose", "unblocks", "where",
]  # fmt: skip


def _number(word: str, function: Callable[..., float], *numbers: float) -> float:
    """Return a function of numbers; raises ValueError or OverflowError that names the word and the numbers."""
    shown = f"{word}({', '.join(map(repr, numbers))})"
    try:
        return function(*numbers)
    except ValueError:
        raise ValueError(f"{shown} is no real number") from None
    except OverflowError:
        raise OverflowError(f"{shown} is too large for a float") from None


def sqrt(x: Value) -> Value:
    """Return the square root, correctly rounded. A negative number is an error; a negative element gives NaN."""
    return np.sqrt(x) if isinstance(x, np.ndarray) else _number("sqrt", math.sqrt, x)


def square(x: Value) -> Value:
    """Return `x * x`; an array's `x**2` is this word."""
    return x * x


def abs(x: Value) -> Value:  # noqa: A001  (the field's name for it)
    """Return the absolute value."""
    return np.abs(x) if isinstance(x, np.ndarray) else math.fabs(x)


def where(mask: Value, a: Value, b: Value) -> Value:
    """Return a where the mask holds and b elsewhere. At least one of a and b is an array; the other may be a number."""
    dtype = a.dtype if isinstance(a, np.ndarray) else b.dtype
    return np.where(mask, np.asarray(a, dtype), np.asarray(b, dtype))


def maximum(a: Value, b: Value) -> Value:
    """Return `a if a > b or a != a else b`, element by element: the larger one, and NaN if either is NaN."""
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return where((a > b) | (a != a), a, b)  # noqa: PLR0124  (true for NaN only)
    return a if a > b or math.isnan(a) else b


def minimum(a: Value, b: Value) -> Value:
    """Return `a if a < b or a != a else b`, element by element: the smaller one, and NaN if either is NaN."""
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return where((a < b) | (a != a), a, b)  # noqa: PLR0124  (true for NaN only)
    return a if a < b or math.isnan(a) else b


def clip(x: Value, low: Value, high: Value) -> Value:
    """Return `minimum(maximum(x, low), high)`."""
    return minimum(maximum(x, low), high)


def sign(x: Value) -> Value:
    """Return 1 where x > 0, -1 where x < 0, and x itself where it is zero or NaN."""
    if isinstance(x, np.ndarray):
        return where(x > 0, 1.0, where(x < 0, -1.0, x))
    return 1.0 if x > 0 else -1.0 if x < 0 else x


def exp(x: Value) -> Value:
    """Return e to the power of x (inexact)."""
    return np.exp(x) if isinstance(x, np.ndarray) else _number("exp", math.exp, x)


def log(x: Value) -> Value:
    """Return the natural logarithm (inexact)."""
    return np.log(x) if isinstance(x, np.ndarray) else _number("log", math.log, x)


def tanh(x: Value) -> Value:
    """Return the hyperbolic tangent (inexact)."""
    return np.tanh(x) if isinstance(x, np.ndarray) else math.tanh(x)


def cbrt(x: Value) -> Value:
    """Return the cube root (inexact)."""
    return np.cbrt(x) if isinstance(x, np.ndarray) else math.cbrt(x)


def atan2(y: Value, x: Value) -> Value:
    """Return the angle of the point (x, y) in radians (inexact)."""
    if isinstance(x, np.ndarray) or isinstance(y, np.ndarray):
        return np.arctan2(y, x)
    return math.atan2(y, x)


def power(x: Value, exponent: Value) -> Value:
    """Return `x**exponent`. The powers 2, 0.5 and -1 of an array are `x * x`, `sqrt(x)`, `1 / x`; others are inexact.

    A number that would be complex is an error.
    """
    if not isinstance(x, np.ndarray) and not isinstance(exponent, np.ndarray):
        return _number("power", _real_power, x, exponent)
    if isinstance(exponent, float) and exponent in _EXACT_POWERS:
        return _EXACT_POWERS[exponent](x)
    return np.power(x, exponent)


_EXACT_POWERS: dict[float, Callable[[Array], Array]] = {2.0: square, 0.5: sqrt, -1.0: lambda x: 1.0 / x}


def _real_power(x: float, exponent: float) -> float:
    result: float | complex = x**exponent
    if isinstance(result, complex):
        raise ValueError  # noqa: TRY004  (a number out of range, as for the root of -1)
    return result


# Reductions -----------------------------------------------------------------------------------------------------------


def _blocks(x: Array, fill: float) -> Array:
    """Return x (axis 0 is the sequence) as float64 of shape (blocks, steps, LANES, ...), padded with `fill`."""
    length = x.shape[0]
    blocks = -(-length // BLOCK)
    padded = np.full((blocks * BLOCK, *x.shape[1:]), fill, np.float64)
    padded[:length] = x
    return padded.reshape(blocks, BLOCK // LANES, LANES, *x.shape[1:])


def _fold(lanes: Array, join: Callable[[Array, Array], Array]) -> Array:
    """Join 16 lanes (axis 1) by halving, and then the blocks (axis 0) from left to right."""
    width = LANES
    while width > 1:
        width //= 2
        lanes = join(lanes[:, :width], lanes[:, width : 2 * width])
    out: Array = lanes[0, 0]
    for block in range(1, lanes.shape[0]):
        out = join(out, lanes[block, 0])
    return out


def _add(x: Array) -> Array:
    """Return the sum over axis 0, in the fixed order."""
    if x.shape[0] == 0:
        return np.zeros(x.shape[1:])
    steps = _blocks(x, 0.0)
    lanes = np.zeros((steps.shape[0], *steps.shape[2:]))
    for step in range(min(steps.shape[1], -(-x.shape[0] // LANES))):
        lanes = lanes + steps[:, step]
    return _fold(lanes, np.add)


def _largest(x: Array) -> Array:
    """Return the largest element over axis 0, in the fixed order; NaN if there is one, -inf if there is no element."""
    if x.shape[0] == 0:
        return np.full(x.shape[1:], -np.inf)
    steps = _blocks(x, -np.inf)
    lanes = steps[:, 0]
    for step in range(1, min(steps.shape[1], -(-x.shape[0] // LANES))):
        lanes = maximum(lanes, steps[:, step])
    return _fold(lanes, maximum)


def _reduce(x: Array, axis: int | None, reduction: Callable[[Array], Array]) -> Value:
    """Apply a reduction along all elements (a float) or along one of the last two axes (kept, with length 1)."""
    with np.errstate(all="ignore"):
        if axis is None:
            return float(reduction(x.reshape(-1).astype(np.float64)))
        front = np.moveaxis(x, axis, 0).astype(np.float64)
        return np.expand_dims(reduction(front), axis).astype(x.dtype)


def sum(x: Array, axis: int | None = None) -> Value:  # noqa: A001  (the field's name for it)
    """Return the sum, a number; along `axis` (-1: one sum a row, -2: one a column) an array that keeps the axis."""
    return _reduce(x, axis, _add)


def mean(x: Array, axis: int | None = None) -> Value:
    """Return the mean of all elements, or along an axis that is kept."""
    return _reduce(x, axis, lambda y: _add(y) / np.float64(y.shape[0]))


def norm(x: Array, axis: int | None = None) -> Value:
    """Return the Euclidean norm, or along an axis that is kept; elements are squared in float64."""
    return _reduce(x, axis, lambda y: np.sqrt(_add(y * y)))


def rms(x: Array, axis: int | None = None) -> Value:
    """Return the root of the mean square, or along an axis that is kept; elements are squared in float64."""
    return _reduce(x, axis, lambda y: np.sqrt(_add(y * y) / np.float64(y.shape[0])))


def amax(x: Array, axis: int | None = None) -> Value:
    """Return the largest element, or along an axis that is kept; NaN if there is one."""
    return _reduce(x, axis, _largest)


def total(x: float) -> float:
    """Return the sum of a number over all tensors of the model, in the order of names; for one tensor, the number."""
    return x


# Matrices: a rule that uses one of these, or `@`, runs as NumPy with BLAS and LAPACK ----------------------------------


def transpose(x: Array) -> Array:
    """Return x with its last two axes exchanged; written `x.T`."""
    return np.swapaxes(x, -1, -2)


def qr(x: Array) -> tuple[Array, Array]:
    """Return Q and R with x = Q @ R, Q with orthonormal columns."""
    q, r = np.linalg.qr(x)
    return q, r


def eigh(x: Array) -> tuple[Array, Array]:
    """Return the eigenvalues of a symmetric matrix, ascending, one a column (shape (..., 1, n)), and its eigenvectors.

    The eigenvectors are the columns of the second matrix, so that `vectors * values` scales each by its own.
    """
    values, vectors = np.linalg.eigh(x)
    return values[..., None, :], vectors


def _check_square(word: str, x: Array) -> None:
    if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
        raise ValueError(f"{word} takes a square matrix, and this one has shape {x.shape}")


def eye(x: Array) -> Array:
    """Return the identity of the shape of a square matrix x."""
    _check_square("eye", x)
    return np.broadcast_to(np.eye(x.shape[-1], dtype=x.dtype), x.shape)


def nrows(x: Array) -> float:
    """Return the number of rows of a matrix."""
    return float(x.shape[-2])


def ncols(x: Array) -> float:
    """Return the number of columns of a matrix."""
    return float(x.shape[-1])


def sorting(x: Array) -> Array:
    """Return the permutation matrix P that sorts the diagonal of x from largest to smallest: that of `P.T @ x @ P`."""
    _check_square("sorting", x)
    order = np.argsort(-np.diagonal(x, axis1=-2, axis2=-1), axis=-1, kind="stable")
    return np.swapaxes(np.take(np.eye(x.shape[-1], dtype=x.dtype), order, axis=0), -1, -2)


def blocks(x: Array, size: float) -> Array:
    """Return a matrix cut into blocks of at most size rows and columns.

    Its shape is (..., blocks down, blocks across, rows of a block, columns of a block). The last
    blocks are filled up with zeros, so that all are of one shape.
    """
    if not size >= 1 or size != int(size):
        raise ValueError(f"blocks have at most size rows and columns, a whole number from 1 on, and not {size!r}")
    n, m = x.shape[-2:]
    rows, columns = min(n, int(size)), min(m, int(size))
    down, across = -(-n // rows), -(-m // columns)
    whole = np.zeros((*x.shape[:-2], down * rows, across * columns), x.dtype)
    whole[..., :n, :m] = x
    return np.swapaxes(whole.reshape(*x.shape[:-2], down, rows, across, columns), -3, -2)


def unblocks(x: Array, like: Array) -> Array:
    """Return the matrix, of the shape of `like`, that `blocks` has cut into x."""
    if x.ndim < 4:
        raise ValueError(f"unblocks takes what blocks has cut, which has four axes or more; this has shape {x.shape}")
    down, across, rows, columns = x.shape[-4:]
    whole = np.swapaxes(x, -3, -2).reshape(*x.shape[:-4], down * rows, across * columns)
    return whole[..., : like.shape[-2], : like.shape[-1]]
