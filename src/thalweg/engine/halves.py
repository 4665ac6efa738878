"""Parameters of float16 and bfloat16: a step converts to float32, evaluates, and rounds back once, to nearest even.

State of such a parameter is float32. So may be a master copy of the parameter itself, which steps too small for the
parameter's own dtype add up in; the parameter is then the master, rounded.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

FLOAT32 = np.dtype(np.float32)


def compute_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the dtype that a parameter is evaluated in, and its state kept in: float32 for both of two bytes."""
    return FLOAT32 if dtype.itemsize == 2 else dtype


def converted(array: Any, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return an array in another dtype, itself where it has this one; what is too large becomes an infinity."""
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        return np.asarray(array).astype(dtype, copy=False)


def copy_into(target: NDArray[Any], source: Any) -> None:
    """Copy an array, rounding once where the dtypes differ; what is too large becomes an infinity."""
    copy_each([target], [source])


def copy_each(targets: Sequence[NDArray[Any]], sources: Sequence[Any]) -> None:
    """Do the same for many, which is quicker than one by one."""
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        for target, source in zip(targets, sources, strict=True):
            np.copyto(target, source, casting="same_kind")


def widened(w: NDArray[Any], master: NDArray[Any] | None = None) -> NDArray[Any]:
    """Return a parameter in the dtype that it is evaluated in; nothing is changed.

    w: any layout. master: float32 of w's shape. Elements of w that are no longer the rounded master were changed by the
    caller, and count in the master's place: without such elements the master itself is returned, else a copy of it.
    """
    if master is None:
        return converted(w, compute_dtype(w.dtype))
    # As bits: a NaN equals itself, and the zeros differ.
    changed = converted(master, w.dtype).view(np.uint16) != w.view(np.uint16)
    if not changed.any():
        return master
    current = master.copy(order="K")
    current[changed] = converted(w, master.dtype)[changed]
    return current
