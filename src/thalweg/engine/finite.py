"""Whether gradients are finite, found out at the speed of memory and before anything is changed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from thalweg.engine.cache import compiled
from thalweg.engine.threads import parallel

GRAIN = 64
"""Blocks of 16,384 numbers worth a thread of their own: 150 µs of work or more, a few times what handing over costs."""


class FiniteCheck:
    """Looks through a fixed set of contiguous arrays for the first NaN or infinity. Needs Numba.

    addresses: (n,) intp, may be a strided view; read anew by each call. 0 leaves an array out.
    sizes: the number of elements of each array.
    itemsizes: bytes of an element of each array: 4 for float32, 8 for float64.
    """

    def __init__(self, addresses: NDArray[np.intp], sizes: Sequence[int], itemsizes: Sequence[int]) -> None:
        if set(itemsizes) - {4, 8}:
            raise ValueError(f"elements of {sorted(set(itemsizes))} bytes; only float32 (4) and float64 (8) are known")
        self._kernels = compiled("finite")
        self._addresses = addresses
        blocks = -(-np.asarray(sizes, np.int64) // self._kernels.BLOCK)
        before = np.cumsum(blocks) - blocks
        self._table = np.column_stack([sizes, itemsizes, before]).astype(np.int64, order="C").reshape(-1, 3)
        self._blocks = int(blocks.sum())
        self._where = (addresses.ctypes.data, addresses.strides[0], self._table.ctypes.data, len(self._table))

    def first_nonfinite(self) -> tuple[int, int] | None:
        """Return (index of the array, position in it in the order of memory) of the first NaN or infinity, or None."""
        if self._blocks <= GRAIN:
            bad = self._kernels.first_bad_block(*self._where, 0, self._blocks)
            return None if bad < 0 else self._locate(bad)
        found: list[int] = []

        def look(lo: int, hi: int) -> None:
            bad = self._kernels.first_bad_block(*self._where, lo, hi)
            if bad >= 0:
                found.append(bad)

        parallel(look, self._blocks, grain=GRAIN)
        return self._locate(min(found)) if found else None

    def _locate(self, block: int) -> tuple[int, int]:
        # The last array that begins at or before this block: arrays without elements begin where the next one does.
        array = int(np.searchsorted(self._table[:, 2], block, side="right")) - 1
        size, itemsize, before = self._table[array].tolist()
        start = (block - before) * self._kernels.BLOCK
        address = int(self._addresses[array]) + start * itemsize
        return array, start + self._kernels.first_nonfinite(address, size - start, itemsize)


def first_nonfinite(arrays: Iterable[NDArray[np.floating] | None]) -> tuple[int, int] | None:
    """Do the same through NumPy, for any layout and floating dtype; the position is in C order. None is left out."""
    for index, array in enumerate(arrays):
        if array is None:
            continue
        finite = np.isfinite(array)
        if not finite.all():
            return index, int(np.argmin(finite))
    return None
