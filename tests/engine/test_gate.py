"""What the gate reads, what it tells the caller to copy first, and when it says that something changed."""

import gc
import itertools
import sys
import weakref

import ml_dtypes
import numpy as np
import pytest

from thalweg.engine import gate as gate_module
from thalweg.engine.gate import Gate
from thalweg.engine.numba_support import numba_available

EACH_WAY = ["compiled", "in Python"]


@pytest.fixture(params=EACH_WAY, autouse=True)
def way(request, monkeypatch):
    """Every test runs with the compiled comparison and without Numba."""
    if request.param == "in Python":
        monkeypatch.setattr(gate_module, "numba_available", lambda: False)
    elif not numba_available():
        pytest.skip("Numba is not available")
    return request.param


def address(array):
    return array.__array_interface__["data"][0]


def pointers(params, grads):
    return [[address(w), 0 if g is None else address(g)] for w, g in zip(params, grads, strict=True)]


def some(n, shape=(3, 4), dtype=np.float32):
    return [np.zeros(shape, dtype) for _ in range(n)], [np.ones(shape, dtype) for _ in range(n)]


def test_pointers_are_read_anew_at_every_step():
    params, grads = some(5)
    gate = Gate("abcde")
    where = gate.pointers
    assert gate.read(params, grads) is True
    assert gate.pointers.tolist() == pointers(params, grads)
    for _ in range(50):
        kept = grads
        grads = [g.copy() for g in grads]
        assert gate.read(params, grads) is False
        assert gate.pointers.tolist() == pointers(params, grads)
    assert gate.pointers is where
    assert kept is not grads


def test_what_is_told_about_parameters():
    params = [np.zeros((3, 4), np.float32), np.zeros((4, 3)).T, np.zeros(()), np.zeros((0, 2)), np.zeros((6, 4))[::2]]
    gate = Gate("abcde")
    gate.read(params, [np.zeros_like(w) for w in params])
    assert gate.dtypes == tuple(w.dtype for w in params)
    assert gate.shapes == ((3, 4), (3, 4), (), (0, 2), (3, 4))
    assert gate.sizes == (12, 12, 1, 0, 12)
    assert gate.orders == ("C", "F", "C", "C", "C")
    assert gate.stage_param.tolist() == [False, False, False, False, True]
    assert gate.stage_grad.tolist() == [False] * 5


def misaligned(shape, dtype):
    count = int(np.prod(shape))
    return np.zeros(count * np.dtype(dtype).itemsize + 1, np.uint8)[1:].view(dtype).reshape(shape)


LAYOUTS = {
    "C": (lambda: np.zeros((4, 6)), "C", False),
    "F": (lambda: np.zeros((4, 6), order="F"), "F", False),
    "transposed": (lambda: np.zeros((6, 4)).T, "F", False),
    "rows of a matrix": (lambda: np.zeros((9, 6))[2:6], "C", False),
    "columns of a matrix": (lambda: np.zeros((4, 9))[:, 2:8], "C", True),
    "every other": (lambda: np.zeros((4, 12))[:, ::2], "C", True),
    "backwards": (lambda: np.zeros((4, 6))[::-1, ::-1], "C", True),
    "axes in another order": (lambda: np.zeros((3, 2, 4)).transpose(1, 2, 0).reshape(4, 6, copy=None), "C", False),
    "vector backwards": (lambda: np.zeros(24)[::-1].reshape(4, 6), "C", True),
    "misaligned": (lambda: misaligned((4, 6), np.float64), "C", True),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_of_a_parameter(layout):
    make, order, staged = LAYOUTS[layout]
    w = make()
    gate = Gate(["w"])
    gate.read([w], [np.ones_like(w, order=order)])
    assert (gate.orders, gate.stage_param.tolist(), gate.stage_grad.tolist()) == ((order,), [staged], [False])
    assert gate.pointers[0, 0] == address(w)
    assert gate.read([w], [np.ones_like(w, order=order)]) is False


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("order", ["C", "F"])
def test_a_gradient_in_another_order_than_its_parameter_is_staged(layout, order):
    make, own, staged = LAYOUTS[layout]
    gate = Gate(["w"])
    gate.read([np.zeros((4, 6), order=order)], [make()])
    assert gate.stage_grad.tolist() == [staged or own != order]


@pytest.mark.parametrize("w", [np.zeros(5), np.zeros((1, 5)), np.zeros((5, 1)), np.zeros(()), np.zeros((0, 3))])
def test_where_both_orders_are_true_it_is_c_and_nothing_is_staged(w):
    for a, b in itertools.product("CF", repeat=2):
        gate = Gate(["w"])
        gate.read([np.array(w, order=a)], [np.array(w, order=b)])
        assert (gate.orders, gate.stage_grad.tolist()) == (("C",), [False])


@pytest.mark.parametrize("wanted", [np.float32, np.float64])
@pytest.mark.parametrize(
    "given", [np.float16, np.float32, np.float64, np.longdouble, ml_dtypes.bfloat16, ">f8", ">f4", "<f4"]
)
def test_gradients_of_another_floating_dtype_are_staged(wanted, given):
    gate = Gate(["w"])
    params, grads = [np.zeros(3, wanted)], [np.ones(3, given)]
    assert gate.read(params, grads) is True
    assert gate.stage_grad.tolist() == [np.dtype(given) != np.dtype(wanted)]
    assert gate.read(params, [np.ones(3, given)]) is False


def test_a_memory_map(tmp_path):
    w = np.memmap(tmp_path / "w", np.float32, "w+", shape=(3, 4))
    gate = Gate(["w"])
    assert gate.read([w], [np.zeros((3, 4), np.float32)])
    assert gate.read([w], [np.zeros((3, 4), np.float32)]) is False
    assert gate.pointers[0, 0] == address(w)


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64, np.longdouble])
def test_a_numpy_number_may_be_the_gradient_of_a_0d_array(kind):
    """2 * x of a 0-d array is a number."""
    gate = Gate(["x"])
    x = np.array(3.0)
    assert gate.read([x], [kind(6.0)])
    assert gate.stage_grad.tolist() == [True]
    for _ in range(3):
        assert gate.read([x], [kind(7.0)]) is False
    assert gate.read([x], [np.array(7.0)]) is True
    assert gate.stage_grad.tolist() == [False]


CHANGES = {
    "parameter: another array": lambda w, g: (w.copy(), g),
    "parameter: another order": lambda w, g: (np.asfortranarray(w), g),
    "parameter: another dtype": lambda w, g: (w.astype(np.float64), g),
    "parameter: another shape": lambda w, g: (w.reshape(4, 3), g.reshape(4, 3)),
    "parameter: one axis more": lambda w, g: (w[None], g[None]),
    "parameter: other strides": lambda w, g: (np.repeat(w, 2, axis=0)[::2], g),
    "parameter: a part of itself": lambda w, g: (w[1:], g[1:]),
    "parameter: backwards": lambda w, g: (w[::-1], g),
    "gradient: another order": lambda w, g: (w, np.asfortranarray(g)),
    "gradient: another dtype": lambda w, g: (w, g.astype(np.float64)),
    "gradient: same size, another kind": lambda w, g: (w, g.astype(">f4")),
    "gradient: other strides": lambda w, g: (w, np.repeat(g, 2, axis=1)[:, ::2]),
    "gradient: broadcast": lambda w, g: (w, np.broadcast_to(np.float32(1), w.shape)),
    "gradient: the parameter itself": lambda w, g: (w, w),
    "gradient: read-only": lambda w, g: (w, np.frombuffer(g.tobytes(), g.dtype).reshape(g.shape)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_seen_described_and_then_remembered(change):
    params, grads = some(3)
    gate = Gate("abc")
    for k in (0, 2, 1):
        gate.read(params, grads)
        changed = [list(params), list(grads)]
        changed[0][k], changed[1][k] = CHANGES[change](params[k], grads[k])
        assert gate.read(*changed) is True
        fresh = Gate("abc")
        fresh.read(*changed)
        for said in ("dtypes", "shapes", "sizes", "orders"):
            assert getattr(gate, said) == getattr(fresh, said)
        for said in ("pointers", "stage_param", "stage_grad"):
            assert getattr(gate, said).tolist() == getattr(fresh, said).tolist()
        assert gate.pointers.tolist() == pointers(*changed)
        assert gate.read(*changed) is False
        assert gate.read(params, grads) is True
        assert gate.read(params, grads) is False


SMALL_CHANGES = {
    "0-d, another width": (np.zeros(()), np.zeros((), np.float32)),
    "one element, another width": (np.zeros(1), np.zeros(1, np.float16)),
    "other gaps": (np.zeros((6, 2))[:, 0], np.zeros((6, 3))[:, 0]),
    "other order of axes": (np.zeros((2, 3, 4)).transpose(0, 2, 1), np.zeros((4, 3, 2)).transpose(2, 0, 1)),
    "swapped bytes": (np.zeros(6), np.zeros(6, np.dtype("f8").newbyteorder())),
    "misaligned": (np.zeros(6), misaligned((6,), np.float64)),
}


@pytest.mark.parametrize("change", SMALL_CHANGES)
def test_a_gradient_that_differs_in_one_thing_only(change):
    first, second = SMALL_CHANGES[change]
    gate = Gate(["w"])
    w = np.zeros(first.shape)
    gate.read([w], [first])
    for grads in ([second], [first], [second]):
        assert gate.read([w], grads) is True
        fresh = Gate(["w"])
        fresh.read([w], grads)
        assert gate.stage_grad.tolist() == fresh.stage_grad.tolist()
        assert gate.read([w], grads) is False


def test_a_parameter_that_differs_in_its_width_only():
    memory, gate = np.zeros(4), Gate(["w"])
    wide, narrow = memory[:1].reshape(()), memory.view(np.float32)[:1].reshape(())
    for w in (wide, narrow, wide):
        assert gate.read([w], [np.zeros((), w.dtype)]) is True
        assert gate.dtypes == (w.dtype,)


@pytest.mark.parametrize("where", ["_describe", "_arm", "_point"])
def test_an_interrupted_change_is_told_again(monkeypatch, way, where):
    """Whoever was not told of a change would go on with what it derived from before."""
    if (way, where) == ("in Python", "_arm"):
        pytest.skip("this is about the compiled way, which needs Numba")
    params, grads = some(2)
    others = [np.zeros((5, 2)), params[1]], [np.zeros((5, 2)), grads[1]]

    def interrupt(*_):
        raise KeyboardInterrupt

    for after in (others, (params, grads)):
        gate = Gate("ab")
        gate.read(params, grads)
        monkeypatch.setattr(gate, where, interrupt)
        with pytest.raises(KeyboardInterrupt):
            gate.read(*others)
        monkeypatch.delattr(gate, where)
        assert gate.read(*after) is True
        assert gate.shapes == tuple(w.shape for w in after[0])
        assert gate.read(*after) is False


def test_gradients_may_be_missing_in_some_steps():
    params, grads = some(2)
    gate = Gate("ab")
    gate.read(params, [None, grads[1]])
    assert gate.pointers.tolist() == pointers(params, [None, grads[1]])
    assert gate.stage_grad.tolist() == [False, False]
    gate.read(params, grads)
    assert gate.pointers.tolist() == pointers(params, grads)
    gate.read(params, [grads[0], None])
    assert gate.pointers.tolist() == pointers(params, [grads[0], None])
    gate.read(params, [None, None])
    assert gate.pointers.tolist() == pointers(params, [None, None])


def test_a_gradient_that_was_away_is_checked_when_it_is_back():
    params, grads = some(2)
    gate = Gate("ab")
    gate.read(params, grads)
    gate.read(params, [None, grads[1]])
    other = [params[0].reshape(4, 3).copy(), params[1]]
    gate.read(other, [None, grads[1]])
    with pytest.raises(ValueError, match=r"gradient of 'a' has shape \(3, 4\), the parameter \(4, 3\)"):
        gate.read(other, grads)


ALIASES = {
    "itself": lambda ws: (0, ws[0]),
    "another parameter": lambda ws: (1, ws[2]),
    "itself backwards": lambda ws: (1, ws[1][::-1]),
    "a view over two parameters": lambda ws: (1, ws[0].base[2:10]),
    "the end of one": lambda ws: (2, ws[0].base[7:15]),
}


@pytest.mark.parametrize("alias", ALIASES)
def test_a_gradient_in_the_memory_of_a_parameter_is_staged(alias):
    memory = np.zeros(64)
    params = [memory[:8], memory[16:24], memory[40:48]]
    names = ["a", "b", "c"]
    gate = Gate(names)
    clean = [np.ones(8) for _ in names]
    for _ in range(2):
        gate.read(params, clean)
        assert gate.stage_grad.tolist() == [False] * 3
        which, gradient = ALIASES[alias](params)
        grads = list(clean)
        grads[which] = gradient
        assert gate.read(params, grads) is True
        assert gate.stage_grad.tolist() == [i == which for i in range(3)]
        assert gate.read(params, grads) is False
        assert gate.stage_grad.tolist() == [i == which for i in range(3)]
        assert gate.read(params, clean) is True


def test_memory_beside_a_parameter_is_not_in_it():
    memory = np.zeros(64)
    params = [memory[8:16], memory[24:32]]
    gate = Gate("ab")
    for start in (0, 16, 32):
        gate.read(params, [memory[start : start + 8], np.ones(8)])
        assert gate.stage_grad.tolist() == [False, False]
    for start in (1, 15, 17, 31):
        gate.read(params, [memory[start : start + 8], np.ones(8)])
        assert gate.stage_grad.tolist() == [True, False]


def test_touching_agrees_with_numpy_for_random_places():
    """The binary search against the bounds of each pair, with parameters that lie inside the bounds of others."""
    rng = np.random.default_rng(7)
    memory = np.zeros(4000)
    for _ in range(40):
        params = [memory[k : 4000 - k : 40] for k in range(3)]
        params += [memory[k::40][5 : 5 + rng.integers(1, 60)] for k in range(10, 30, 3)]
        params = [params[k] for k in rng.permutation(len(params))]
        gate = Gate([str(k) for k in range(len(params))])
        gate.read(params, [np.zeros(w.shape) for w in params])
        for _ in range(5):
            starts = rng.integers(0, 4000 - 101, len(params))
            grads = [memory[s : s + len(w)] for s, w in zip(starts, params, strict=True)]
            gate.read(params, grads)
            expected = [any(np.may_share_memory(g, w) for w in params) for g in grads]
            assert gate.stage_grad.tolist() == expected


def test_arrays_without_elements_touch_nothing():
    memory = np.zeros(8)
    gate = Gate("ab")
    params = [memory, memory[3:][:0]]
    assert gate.read(params, [np.ones(8), memory[4:][:0]])
    assert gate.stage_grad.tolist() == [False, False]
    assert gate.read(params, [np.ones(8), memory[4:][:0]]) is False


def test_a_thousand_names():
    params, grads = some(1000, (2, 3))
    gate = Gate([f"w{k}" for k in range(1000)])
    assert gate.read(params, grads)
    assert gate.read(params, grads) is False
    assert gate.pointers.tolist() == pointers(params, grads)
    grads[777] = grads[777].T.copy().T
    assert gate.read(params, grads) is True
    assert np.flatnonzero(gate.stage_grad).tolist() == [777]


def test_no_names():
    gate = Gate(())
    gate.read([], [])
    assert gate.pointers.shape == (0, 2)


@pytest.mark.parametrize("params, grads", [(1, 2), (2, 1), (3, 3)])
def test_as_many_arrays_as_names(params, grads):
    gate = Gate("ab")
    gate.read(*some(2))
    with pytest.raises(ValueError, match="for 2 names"):
        gate.read([np.zeros(2)] * params, [np.zeros(2)] * grads)


def test_arrays_are_not_kept():
    params, grads = some(3)
    gate = Gate("abc")
    gate.read(params, grads)
    gate.read(params, grads)
    arrays = [weakref.ref(array) for array in params + grads]
    del params, grads
    gc.collect()
    assert [array() for array in arrays] == [None] * 6


def test_no_reference_is_lost_or_left_behind():
    params, grads = some(3)
    gate = Gate("abc")
    gate.read(params, grads)
    kinds = [np.ndarray, type(None), None]
    gc.collect()
    gc.disable()  # what other tests have left behind refers to None, too
    try:
        before = [sys.getrefcount(each) for each in params + grads + kinds]
        for _ in range(500):
            gate.read(params, grads)
            gate.read(params, [None, *grads[1:]])
        after = [sys.getrefcount(each) for each in params + grads + kinds]
    finally:
        gc.enable()
    assert after[:6] == before[:6]
    assert all(abs(b - a) < 200 for a, b in zip(before, after, strict=True))


def test_a_refusal_leaves_the_gate_as_it_was():
    params, grads = some(2)
    gate = Gate("ab")
    gate.read(params, grads)
    with pytest.raises(ValueError, match="'b'"):
        gate.read(params, [grads[0], np.ones((4, 3), np.float32)])
    assert gate.read(params, grads) is False
    assert gate.pointers.tolist() == pointers(params, grads)
    assert gate.stage_grad.tolist() == [False, False]
    with pytest.raises(ValueError, match="'a' and 'b'"):
        gate.read([params[0], params[0]], grads)
    assert gate.read(params, grads) is False


def test_the_next_step_is_compiled(way):
    """Nothing is looked at closely when nothing changed, and nothing is compiled for another number of arrays."""
    if way == "in Python":
        pytest.skip("this is about the compiled way, which needs Numba")
    from thalweg.engine.cache import compiled

    for n in (1, 3, 7):
        params, grads = some(n)
        gate = Gate([str(k) for k in range(n)])
        gate.read(params, grads)
        gate._look_closely = None
        for _ in range(50):
            assert gate.read(params, [g.copy() for g in grads]) is False
    memory = np.zeros(24)
    gate = Gate("ab")
    params, grads = [memory[8:16], memory[4:][:0]], [memory[:8], memory[12:][:0]]
    gate.read(params, grads)
    gate._look_closely = None
    for around in (memory[:8], memory[16:]):
        assert gate.read(params, [around, grads[1]]) is False
    assert len(compiled("gate").first_change.signatures) == 1
