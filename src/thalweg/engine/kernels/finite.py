"""Is every number finite? A NaN or an infinity is a number whose exponent bits are all ones.

Adding one to the exponent's last bit carries into the sign bit exactly then, so one AND, one ADD and one OR a number on
integers decide, which every processor does on whole vectors.
"""

from __future__ import annotations

import numpy as np
from numba import carray

from thalweg.engine.kernels.memory import load, pointer
from thalweg.engine.policy import inlined, kernel

BLOCK = 16384
"""Numbers looked at between two decisions to go on."""

# Unsigned, because overflow of signed numbers is undefined to the compiler: it would conclude that nothing carries.
EXPONENT32, ONE32, SIGN32 = np.uint32(0x7F800000), np.uint32(0x00800000), np.uint32(0x80000000)
EXPONENT64, ONE64, SIGN64 = np.uint64(0x7FF0 << 48), np.uint64(0x0010 << 48), np.uint64(0x8000 << 48)


@inlined
def any_nonfinite(address: int, size: int, itemsize: int) -> bool:
    """Whether a NaN or an infinity is among `size` numbers of `itemsize` bytes (4 or 8) that lie side by side."""
    if itemsize == 4:
        bits32 = carray(pointer(address), size, np.uint32)
        seen32 = np.uint32(0)
        for i in range(size):
            seen32 = np.uint32(seen32 | np.uint32(np.uint32(bits32[i] & EXPONENT32) + ONE32))
        return bool(seen32 >= SIGN32)
    bits64 = carray(pointer(address), size, np.uint64)
    seen64 = np.uint64(0)
    for i in range(size):
        seen64 |= (bits64[i] & EXPONENT64) + ONE64
    return bool(seen64 >= SIGN64)


@kernel("intp(intp, intp, intp, intp, intp, intp)")
def first_bad_block(addresses: int, stride: int, table: int, arrays: int, lo: int, hi: int) -> int:
    """The first of the blocks lo to hi - 1 that has a number which is not finite, or -1.

    addresses: where the addresses of the arrays lie, `stride` bytes apart; 0 for an array that is left out.
    table: where three numbers an array lie: elements, bytes an element, number of blocks in the arrays before it.
    """
    array = 0
    while array + 1 < arrays and load(table + 24 * (array + 1) + 16, np.int64) <= lo:
        array += 1
    block = lo
    while block < hi:
        size = load(table + 24 * array, np.int64)
        itemsize = load(table + 24 * array + 8, np.int64)
        first = load(table + 24 * array + 16, np.int64)
        address = load(addresses + stride * array, np.intp)
        blocks = (size + BLOCK - 1) // BLOCK
        end = min(hi, first + blocks)
        while block < end and address != 0:
            start = (block - first) * BLOCK
            if any_nonfinite(address + start * itemsize, min(BLOCK, size - start), itemsize):
                return block
            block += 1
        block = end
        array += 1
    return -1


@kernel("intp(intp, intp, intp)")
def first_nonfinite(address: int, size: int, itemsize: int) -> int:
    """The position of the first number that is not finite among those that lie side by side, or -1."""
    for i in range(size):
        if any_nonfinite(address + i * itemsize, 1, itemsize):
            return i
    return -1
