"""The first number that is not finite is found, whatever its bits, and nothing else is."""

import threading

import numpy as np
import pytest

from thalweg.engine import finite, threads
from thalweg.engine.finite import FiniteCheck, first_nonfinite
from thalweg.engine.numba_support import numba_available

compiled = pytest.mark.skipif(not numba_available(), reason="Numba is not available")

BLOCK = 16384


def checked(arrays):
    """The answer of the compiled check; arrays are contiguous, None is left out."""
    addresses = np.array([0 if a is None else a.ctypes.data for a in arrays], np.intp)
    sizes = [10 if a is None else a.size for a in arrays]
    return FiniteCheck(addresses, sizes, [4 if a is None else a.itemsize for a in arrays]).first_nonfinite()


def bits(value, dtype):
    unsigned = {4: np.uint32, 8: np.uint64}[np.dtype(dtype).itemsize]
    return np.array([value], unsigned).view(dtype)[0]


NONFINITE = {
    np.float32: [0x7F800000, 0xFF800000, 0x7FC00000, 0xFFC00000, 0x7F800001, 0xFFFFFFFF, 0x7FBFFFFF],
    np.float64: [
        0x7FF << 52,
        0xFFF << 52,
        0x7FF8 << 48,
        0xFFF8 << 48,
        (0x7FF << 52) + 1,
        2**64 - 1,
        (0x7FF << 52) + 2**32,
    ],
}
FINITE = {
    np.float32: [0, 0x80000000, 1, 0x80000001, 0x7F7FFFFF, 0xFF7FFFFF, 0x007FFFFF, 0x3F800000, 0xBF800000, 0x40000000],
    np.float64: [0, 1 << 63, 1, (1 << 63) + 1, (0x7FF << 52) - 1, (0xFFF << 52) - 1, 0x3FF << 52, 0xBFF << 52, 1 << 62],
}


@compiled
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [1, 2, 3, 7, 8, 31, 64, 100, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 5])
def test_every_position_and_every_kind_of_bits(dtype, n):
    everything_finite = np.resize(np.array([bits(b, dtype) for b in FINITE[dtype]], dtype), n)
    assert checked([everything_finite]) is None
    positions = range(n) if n <= 100 else [0, 1, n // 2, BLOCK - 2, n - 2, n - 1]
    for position in positions:
        for value in NONFINITE[dtype]:
            x = everything_finite.copy()
            x[position] = bits(value, dtype)
            assert checked([x]) == first_nonfinite([x]) == (0, position)


@compiled
def test_the_first_of_many():
    rng = np.random.default_rng(1)
    for _ in range(100):
        sizes = rng.choice([0, 1, 5, 100, BLOCK, BLOCK + 3, 2 * BLOCK], rng.integers(1, 7))
        arrays = [rng.standard_normal(n).astype(rng.choice([np.float32, np.float64])) for n in sizes]
        for _ in range(rng.integers(0, 4)):
            array = arrays[rng.integers(len(arrays))]
            if array.size:
                array[rng.integers(array.size)] = rng.choice([np.nan, np.inf, -np.inf])
        if rng.random() < 0.3:
            arrays[rng.integers(len(arrays))] = None
        assert checked(arrays) == first_nonfinite(arrays)


@compiled
def test_many_small_arrays_over_several_threads(monkeypatch):
    monkeypatch.setattr(threads._workers, "num_threads", 3)
    monkeypatch.setattr(finite, "GRAIN", 4)
    who = set()
    parallel = threads.parallel

    def watched(task, total, *, grain):
        parallel(lambda lo, hi: (who.add(threading.get_ident()), task(lo, hi)), total, grain=grain)

    monkeypatch.setattr(finite, "parallel", watched)
    arrays = [np.ones(k % 7 * 1000, np.float32) for k in range(300)]
    for _ in range(50):
        assert checked(arrays) is None
    assert len(who) > 1
    arrays[298][2000] = np.nan
    assert checked(arrays) == (298, 2000)
    arrays[123][7] = np.inf
    assert checked(arrays) == (123, 7)


@compiled
def test_addresses_are_read_anew_and_may_be_a_column():
    good, bad = np.zeros(50), np.full(50, np.nan)
    pointers = np.array([[bad.ctypes.data, good.ctypes.data], [bad.ctypes.data, good.ctypes.data]], np.intp)
    check = FiniteCheck(pointers[:, 1], [50, 50], [8, 8])
    assert check.first_nonfinite() is None
    pointers[1, 1] = bad.ctypes.data
    assert check.first_nonfinite() == (1, 0)
    pointers[1, 1] = 0
    assert check.first_nonfinite() is None


@compiled
def test_nothing_to_look_at():
    assert checked([]) is None
    assert checked([np.zeros(0), np.zeros(0, np.float32)]) is None


@compiled
def test_only_known_widths():
    with pytest.raises(ValueError, match=r"\[2, 4\] bytes; only float32 \(4\) and float64 \(8\)"):
        FiniteCheck(np.zeros(2, np.intp), [1, 1], [4, 2])


def test_numpy_alone_knows_every_layout_and_dtype():
    x = np.zeros((4, 6), np.float16)
    x[2, 1] = np.inf
    assert first_nonfinite([np.zeros(3), None, x]) == (2, 13)
    assert first_nonfinite([x.T]) == (0, 6)
    assert first_nonfinite([x[::-1, ::-1]]) == (0, 10)
    assert first_nonfinite([np.float64("nan")]) == (0, 0)
    assert first_nonfinite([np.array(1.0), np.zeros((0, 3)), x[:2]]) is None
    assert first_nonfinite([]) is None
