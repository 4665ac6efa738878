"""Which arrays may be parameters and gradients, and what is said about the others.

Every refusal names the array, says what was given, what is legal and what to do.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence, ValuesView
from collections.abc import Set as AbstractSet
from typing import Any, NamedTuple

import numpy as np
from numpy.exceptions import TooHardError
from numpy.typing import NDArray

PARAMETER_DTYPES = ("float16", "bfloat16", "float32", "float64")
"""The dtypes that are updated, by name: only ml_dtypes has bfloat16, and only who has such an array needs it."""

ARRAY_TYPES = (np.ndarray, np.memmap)
"""Exact types: any other subclass means something by its numbers (a mask, a unit) that an update would not respect."""

MOST_WORK = 10_000
"""Candidates that `np.shares_memory` may try before two interleaved arrays are refused for being too tangled."""


def check_parameter(name: str, array: Any) -> None:
    """Raise TypeError or ValueError if this cannot be updated in place."""
    who = f"parameter {name!r}"
    if isinstance(array, np.generic):
        raise TypeError(
            f"{who} is a NumPy number ({_type(array)}); numbers as parameters are float, np.float64, np.float32 or "
            "np.float16: give float(number) in a dict or list, or np.array(float(number))"
        )
    _check_type(who, array)
    dtype = array.dtype
    if dtype.name not in PARAMETER_DTYPES:
        legal = f"{', '.join(PARAMETER_DTYPES[:-1])} or {PARAMETER_DTYPES[-1]}"
        raise TypeError(f"{who} has dtype {dtype}; parameters are {legal}: {_cure(dtype)}")
    if not dtype.isnative:
        raise ValueError(
            f"{who} is stored in the byte order of another machine ({dtype.str}); "
            f"give params[{name!r}].astype({dtype.name!r})"
        )
    if overlaps_itself(array):
        raise ValueError(
            f"{who} overlaps itself (shape {array.shape}, strides {array.strides}): several elements are one place in "
            f"memory, as np.broadcast_to and as_strided make them; each must have its own: give a .copy()"
        )
    if not array.flags.writeable:
        raise ValueError(
            f"{who} is read-only and is to be updated in place; give a writable array: a .copy(), "
            "or np.load(..., mmap_mode='r+') for a file"
        )


def check_gradient(name: str, gradient: Any, parameter: NDArray[Any]) -> None:
    """Raise TypeError or ValueError if this cannot be the gradient of that parameter, which has been checked."""
    who = f"the gradient of {name!r}"
    if not isinstance(gradient, np.floating):
        _check_type(who, gradient)
    dtype = gradient.dtype
    if not np.issubdtype(dtype, np.floating) and dtype.name != "bfloat16":
        raise TypeError(f"{who} has dtype {dtype}; gradients are real floating-point numbers: {_cure(dtype)}")
    if gradient.shape != parameter.shape:
        raise ValueError(
            f"{who} has shape {gradient.shape}, the parameter {parameter.shape}: give the same, nothing is broadcast"
        )


def _check_type(who: str, array: Any) -> None:
    if type(array) in ARRAY_TYPES:
        return
    kind = type(array)
    library = kind.__module__.partition(".")[0]
    if isinstance(array, np.ma.MaskedArray):
        cure = "a mask would be ignored; give its .filled(...) or its .data"
    elif isinstance(array, np.ndarray):
        cure = "subclasses may mean more than their numbers; give np.asarray(it), which shares its memory"
    elif library == "scipy":
        cure = "convert it with .toarray()"
    elif library == "torch":
        cure = "convert it with .detach().numpy(), which shares its memory"
    elif array is None:
        cure = "leave the name out; None is for gradients, and leaves a parameter alone"
    elif isinstance(array, str | bytes | bytearray):
        cure = "this is text; convert what it says with np.array(float(it))"
    elif isinstance(array, AbstractSet | Iterator | Mapping | ValuesView):
        cure = "put its arrays into a list or dict"
    elif library in ("jax", "jaxlib", "tensorflow", "cupy"):
        cure = "convert it with np.array(it); NumPy cannot update its memory"
    else:
        cure = "convert it with np.array(it, dtype=np.float64)"
    raise TypeError(f"{who} is a {_type(array)}; it must be a numpy.ndarray: {cure}")


def _type(value: Any) -> str:
    kind = type(value)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _cure(dtype: np.dtype[Any]) -> str:
    if dtype.kind == "c":
        return "complex numbers are not supported yet; give the views .real and .imag under two names"
    return "convert with .astype(np.float32) or .astype(np.float64)"


class Extent(NamedTuple):
    """The bytes from the first to behind the last that an array touches, as offsets from its first element."""

    low: int
    high: int


def extent(shape: Sequence[int], strides: Sequence[int], itemsize: int) -> Extent:
    """Where the elements lie, counted from the first; (0, 0) for an array without elements."""
    if 0 in shape:
        return Extent(0, 0)
    reach = [(n - 1) * stride for n, stride in zip(shape, strides, strict=True)]
    return Extent(sum(r for r in reach if r < 0), sum(r for r in reach if r > 0) + itemsize)


def overlaps_itself(array: NDArray[Any]) -> bool:
    """Whether two elements of one array share a byte."""
    itemsize = array.itemsize
    axes = sorted((abs(stride), n) for n, stride in zip(array.shape, array.strides, strict=True) if n > 1)
    reach = itemsize
    for stride, n in axes:
        if stride < reach:
            break  # not nested like the axes of an ordinary array: look closer
        reach += stride * (n - 1)
    else:
        return False
    if array.size == 0:
        return False
    low, high = extent(array.shape, array.strides, itemsize)
    if array.size * itemsize > high - low:
        return True
    places = np.zeros(1, np.int64)
    for stride, n in axes:
        places = np.add.outer(places, stride * np.arange(n)).ravel()
    places.sort()
    return bool((np.diff(places) < itemsize).any())


class Memory:
    """The memory under a set of arrays, to ask whether another array touches it.

    places: (address of the first element, extent) of each array.
    """

    def __init__(self, places: Sequence[tuple[int, Extent]]) -> None:
        spans = [
            (start + span.low, start + span.high, i) for i, (start, span) in enumerate(places) if span.low < span.high
        ]
        spans.sort()
        self.spans = spans
        self.lows = np.array([low for low, _, _ in spans], np.intp)
        # How far the spans up to here reach: they may lie inside each other, as those of interleaved arrays do.
        self.reach = np.maximum.accumulate(np.array([high for _, high, _ in spans], np.intp))

    def touched(self, start: int, span: Extent) -> bool:
        """Whether the bounds of another array overlap those of any of these."""
        if span.low == span.high:
            return False
        before = bisect_left(self.lows, start + span.high)
        return before > 0 and bool(self.reach[before - 1] > start + span.low)

    def check_apart(self, names: Sequence[str], arrays: Sequence[NDArray[Any]]) -> None:
        """Raise ValueError if two of these arrays share memory; a[::2] and a[1::2], which only interleave, do not."""
        active: list[tuple[int, int]] = []
        for low, high, i in self.spans:
            active = [(end, j) for end, j in active if end > low]
            for _, j in active:
                first, second = sorted((i, j))
                pair = f"parameters {names[first]!r} and {names[second]!r}"
                try:
                    shared = np.shares_memory(arrays[i], arrays[j], max_work=MOST_WORK)  # type: ignore[arg-type]  # NumPy's types know 0 and -1 only
                except TooHardError:
                    raise ValueError(
                        f"{pair} are interleaved in memory so that it takes too long to tell whether they share "
                        f"elements; give a .copy() of one"
                    ) from None
                if shared:
                    raise ValueError(
                        f"{pair} lie over the same memory, and would be updated twice; "
                        f"every parameter must have memory of its own: leave one name out, or give a .copy()"
                    )
            active.append((high, i))
