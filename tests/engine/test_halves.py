"""float16 and bfloat16: what they are evaluated in, one rounding to nearest even, and the master copy."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

from thalweg.engine import gate as gate_module
from thalweg.engine.gate import Gate
from thalweg.engine.halves import compute_dtype, copy_into, widened
from thalweg.engine.interpreter import cast
from thalweg.engine.numba_support import numba_available

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
HALVES = {"float16": np.dtype(np.float16), "bfloat16": BFLOAT16}
half = pytest.mark.parametrize("dtype", HALVES.values(), ids=HALVES)


def every(dtype):
    """All 65,536 numbers of a dtype."""
    return np.arange(2**16, dtype=np.uint16).view(dtype)


def finite(dtype):
    """Those that are finite, as float64, in ascending order, zero once."""
    with np.errstate(invalid="ignore"):
        numbers = every(dtype).astype(np.float64)
    return np.unique(numbers[np.isfinite(numbers)])


def same_bits(a, b):
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def test_what_each_dtype_is_evaluated_in():
    found = {np.dtype(d).name: compute_dtype(np.dtype(d)).name for d in ("f2", BFLOAT16, "f4", "f8")}
    assert found == {"float16": "float32", "bfloat16": "float32", "float32": "float32", "float64": "float64"}


@half
def test_widening_is_exact_and_back_again_nothing_is_lost(dtype):
    w = every(dtype)
    wide = widened(w)
    assert wide.dtype == np.float32
    back = np.empty_like(w)
    copy_into(back, wide)
    is_number = ~np.isnan(wide)
    assert same_bits(back[is_number], w[is_number])
    assert np.isnan(back[~is_number].astype(np.float32)).all()


@half
def test_rounding_is_to_nearest_and_ties_go_to_even(dtype):
    numbers = finite(dtype)
    below, above = numbers[:-1], numbers[1:]
    middle = (below + above) / 2  # exact in float64
    middle32 = middle.astype(np.float32)
    assert (middle32 == middle).all()
    rounded = np.empty(len(middle), dtype)
    copy_into(rounded, middle32)
    is_even = below.astype(dtype).view(np.uint16) % 2 == 0
    assert (rounded.astype(np.float64) == np.where(is_even, below, above)).all()
    for toward, expected in ((-np.inf, below), (np.inf, above)):
        copy_into(rounded, np.nextafter(middle32, np.float32(toward)))
        assert (rounded.astype(np.float64) == expected).all()


@half
@pytest.mark.filterwarnings("error")
def test_what_is_too_large_becomes_an_infinity_without_a_warning(dtype):
    out = np.empty(6, dtype)
    copy_into(out, np.array([3.4e38, -3.4e38, np.inf, np.nan, 1e-45, -1e-45], np.float32))
    assert np.isinf(out[:3]).all()
    assert np.signbit(out.astype("f4")).tolist()[:2] == [False, True]
    assert np.isnan(out[3])
    assert out[4:].astype("f4").tobytes() == np.array([0.0, -0.0], "f4").tobytes()


@half
def test_widening_does_not_change_and_float32_is_not_copied(dtype):
    for w in (np.ones(3, np.float32), np.ones(3)):
        assert widened(w) is w
    w = np.ones(3, dtype)
    widened(w)[:] = 2
    assert (w == 1).all()


# The master copy ------------------------------------------------------------------------------------------------------


@half
def test_a_master_that_rounds_to_the_parameter_is_taken_as_it_is(dtype):
    master = np.array([1 + 2.0**-13, -0.0, np.nan, np.inf, 1e-30], np.float32)
    w = np.empty(5, dtype)
    copy_into(w, master)
    assert widened(w, master) is master


@half
def test_elements_that_the_caller_changed_count_and_the_master_stays_as_it_is(dtype):
    master = np.array([1 + 2.0**-13, 2 + 2.0**-12, 3.0, 0.0, np.nan, 5.0], np.float32)
    before = master.copy()
    w = np.empty(6, dtype)
    copy_into(w, master)
    w[1], w[3], w[4], w[5] = 7.0, -0.0, 1.0, np.nan
    current = widened(w, master)
    assert same_bits(current, np.array([1 + 2.0**-13, 7.0, 3.0, -0.0, 1.0, np.nan], np.float32))
    assert same_bits(master, before)


@half
@pytest.mark.parametrize("order", ["C", "F"])
def test_the_copy_lies_in_memory_as_the_master_does(dtype, order):
    master = np.array(np.arange(6, dtype=np.float32).reshape(2, 3), order=order)
    w = np.full((2, 3), 9, dtype)
    current = widened(w, master)
    assert current.strides == master.strides
    assert (current == 9).all()


@half
@pytest.mark.parametrize(
    "layout",
    [
        lambda w: w[::-1],
        lambda w: np.repeat(w, 3)[::3],
        lambda w: np.array([(x, 0) for x in w], [("a", w.dtype), ("b", "u1")])["a"],
        lambda w: np.concatenate([[0], w.view("u1")]).astype("u1")[1:].view(w.dtype),
    ],
    ids=["backwards", "strided", "a field", "unaligned"],
)
def test_the_parameter_may_lie_in_memory_in_any_way(dtype, layout):
    w = layout(np.arange(5).astype(dtype))
    master = w.astype(np.float32) + np.float32(2.0**-20) * (w == 1)
    assert widened(w, master) is master
    w[2] = 7
    assert widened(w, master).tolist() == [7.0 if i == 2 else x for i, x in enumerate(master.tolist())]


@half
def test_a_single_number(dtype):
    w, master = np.array(1.0, dtype), np.array(1 + 2.0**-20, np.float32)
    assert widened(w, master) is master
    w[...] = 2.0
    assert widened(w, master)[()] == 2.0


# The gate -------------------------------------------------------------------------------------------------------------


@pytest.fixture(params=["compiled", "in Python"])
def way(request, monkeypatch):
    if request.param == "in Python":
        monkeypatch.setattr(gate_module, "numba_available", lambda: False)
    elif not numba_available():
        pytest.skip("Numba is not available")


def test_the_gate_says_what_is_evaluated_in_what(way):
    dtypes = [np.float16, BFLOAT16, np.float32, np.float64]
    gate = Gate(["h", "b", "s", "d"])
    assert gate.read([np.zeros(3, d) for d in dtypes], [np.zeros(3, d) for d in dtypes])
    assert [d.name for d in gate.dtypes] == ["float16", "bfloat16", "float32", "float64"]
    assert [d.name for d in gate.compute_dtypes] == ["float32", "float32", "float32", "float64"]
    assert gate.stage_param.tolist() == gate.stage_grad.tolist() == [True, True, False, False]


@half
@pytest.mark.parametrize("gradient", [np.float16, BFLOAT16, np.float32, np.float64, np.longdouble])
def test_the_gradient_of_a_half_parameter_is_of_any_floating_dtype(way, dtype, gradient):
    gate = Gate(["w"])
    gate.read([np.zeros(3, dtype)], [np.ones(3, gradient)])
    assert gate.stage_grad.tolist() == [gradient is not np.float32]


@half
def test_the_same_arrays_are_the_same_again_and_others_are_seen(way, dtype):
    w, g = np.zeros(3, dtype), np.ones(3, dtype)
    gate = Gate(["w"])
    assert gate.read([w], [g])
    assert not gate.read([w], [g])
    other = np.ones(3, dtype)
    assert not gate.read([w], [other])
    assert gate.pointers.tolist() == [[w.ctypes.data, other.ctypes.data]]
    assert gate.read([np.zeros(4, dtype)], [np.ones(4, dtype)])
    twin = HALVES["bfloat16" if dtype.name == "float16" else "float16"]
    assert gate.read([np.zeros(4, twin)], [np.ones(4, twin)])
    assert gate.dtypes == (twin,)
    w.flags.writeable = False
    with pytest.raises(ValueError, match="'w' is read-only"):
        gate.read([w], [g])


def test_gradients_are_cast_once():
    """1 + 2**-11 + 2**-40 is above the tie in float16, and on it in float32."""
    g = np.array([1 + 2.0**-11 + 2.0**-40, 1e39])
    for dtype in HALVES.values():
        found = cast(g, dtype)
        assert found.dtype == np.float32
        assert found.tolist() == [1 + 2.0**-11, np.inf]


@pytest.mark.parametrize("side", [0, 1], ids=["parameter", "gradient"])
@pytest.mark.parametrize("other", [np.zeros(3, "V2"), np.zeros(3, "i2").view([("x", "i2")]), np.zeros(3, "i2"), "text"])
def test_two_bytes_that_are_no_bfloat16_are_refused(way, side, other):
    """To C any two bytes look alike."""
    given = [np.zeros(3, BFLOAT16), np.ones(3, BFLOAT16)]
    gate = Gate(["w"])
    for _ in range(2):
        gate.read([given[0]], [given[1]])
    given[side] = other
    with pytest.raises(TypeError, match=r"'w'"):
        gate.read([given[0]], [given[1]])


@pytest.mark.parametrize("side", [0, 1], ids=["parameter", "gradient"])
@pytest.mark.parametrize("other", [np.zeros(3, np.float16), np.zeros(3, np.float32), np.zeros(3)])
def test_an_array_of_another_dtype_after_bfloat16_is_seen(way, side, other):
    given = [np.zeros(3, BFLOAT16), np.ones(3, BFLOAT16)]
    gate = Gate(["w"])
    gate.read([given[0]], [given[1]])
    given[side] = other
    assert gate.read([given[0]], [given[1]])
    assert gate.dtypes == (given[0].dtype,)
    assert gate.stage_grad[0] == (given[1].dtype != gate.compute_dtypes[0])


@pytest.mark.parametrize("dtype", [np.float16, BFLOAT16, np.float32])
def test_a_gradient_of_bfloat16_that_is_none_at_the_next_step(way, dtype):
    gate, w = Gate(["w"]), np.zeros(3, dtype)
    gate.read([w], [np.ones(3, BFLOAT16)])
    assert not gate.read([w], [np.ones(3, BFLOAT16)])
    assert gate.read([w], [None])
    assert not gate.read([w], [None])
    assert gate.read([w], [np.ones(3, BFLOAT16)])
