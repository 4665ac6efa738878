"""Bad arrays: each is an error that names the array, says what is legal and what to do, before anything is changed."""

import re

import ml_dtypes
import numpy as np
import pytest
from numpy.lib.stride_tricks import as_strided

from thalweg.engine import arrays
from thalweg.engine import gate as gate_module
from thalweg.engine.gate import Gate
from thalweg.engine.numba_support import numba_available

BASE = np.arange(24.0)


class Quantity(np.ndarray):
    """An array with a unit."""


def read_only(dtype=float):
    w = np.zeros(6, dtype)
    w.flags.writeable = False
    return w


# Each makes an array of shape (6,) that is no parameter, and says what the message must contain.
BAD_PARAMETERS = {
    "a list": (lambda: [0.0] * 6, TypeError, r"is a list; .*np\.array\(it"),
    "a tuple": (lambda: (0.0,) * 6, TypeError, "is a tuple"),
    "a number": (lambda: 0.5, TypeError, "is a float"),
    "None": (lambda: None, TypeError, "is a NoneType.*leave the name out"),
    "text": (lambda: "abcdef", TypeError, "is a str.*this is text"),
    "a set": (set, TypeError, "is a set.*into a list or dict"),
    "a generator": (lambda: (x for x in [BASE]), TypeError, "is a generator.*into a list or dict"),
    "a view of a dict": ({"a": BASE}.values, TypeError, "is a dict_values.*into a list or dict"),
    "bytes": (lambda: bytearray(6), TypeError, "is a bytearray"),
    "a dict": (dict, TypeError, "is a dict"),
    "a memoryview": (lambda: memoryview(np.zeros(6)), TypeError, "is a memoryview"),
    "a NumPy number": (
        lambda: np.int64(1),
        TypeError,
        r"NumPy number \(numpy\.int64\); .*np\.array\(float\(number\)\)",
    ),
    "int64": (lambda: np.zeros(6, np.int64), TypeError, r"dtype int64; parameters are float16, .*float64: .*astype"),
    "uint8": (lambda: np.zeros(6, np.uint8), TypeError, "dtype uint8"),
    "bool": (lambda: np.zeros(6, bool), TypeError, "dtype bool"),
    "complex64": (lambda: np.zeros(6, np.complex64), TypeError, r"complex64.*not supported yet.*\.real and \.imag"),
    "complex128": (lambda: np.zeros(6, complex), TypeError, "complex128"),
    "byte-swapped float16": (
        lambda: np.zeros(6, np.dtype("f2").newbyteorder()),
        ValueError,
        r"byte order.*astype\('float16'",
    ),
    "byte-swapped bfloat16": (
        lambda: np.zeros(6, np.dtype(ml_dtypes.bfloat16).newbyteorder()),
        ValueError,
        r"byte order.*astype\('bfloat16'",
    ),
    "a read-only bfloat16": (lambda: read_only(ml_dtypes.bfloat16), ValueError, "is read-only"),
    "a broadcast float16": (lambda: np.broadcast_to(np.zeros(1, "f2"), 6), ValueError, "overlaps itself"),
    "float8": (lambda: np.zeros(6, ml_dtypes.float8_e4m3), TypeError, "float8_e4m3"),
    "longdouble": (lambda: np.zeros(6, "g"), TypeError, "dtype (float128|longdouble|float96|float80)"),
    "object": (lambda: np.zeros(6, object), TypeError, "dtype object"),
    "strings": (lambda: np.zeros(6, "U3"), TypeError, "dtype <U3"),
    "bytes of fixed length": (lambda: np.zeros(6, "S4"), TypeError, r"dtype \|S4"),
    "variable strings": (lambda: np.array(["a"] * 6, np.dtypes.StringDType()), TypeError, "dtype StringDType"),
    "void": (lambda: np.zeros(6, "V4"), TypeError, r"dtype \|V4"),
    "structured": (lambda: np.zeros(6, [("x", "f4")]), TypeError, r"dtype \[\('x'"),
    "datetime": (lambda: np.zeros(6, "M8[s]"), TypeError, "datetime64"),
    "timedelta": (lambda: np.zeros(6, "m8[s]"), TypeError, "timedelta64"),
    "byte-swapped float64": (
        lambda: np.zeros(6, np.dtype("f8").newbyteorder()),
        ValueError,
        r"byte order.*astype\('float64'",
    ),
    "byte-swapped float32": (
        lambda: np.zeros(6, np.dtype("f4").newbyteorder()),
        ValueError,
        r"byte order.*astype\('float32'",
    ),
    "masked": (lambda: np.ma.zeros(6), TypeError, r"MaskedArray.*mask would be ignored.*\.filled"),
    "matrix": (lambda: np.asmatrix(np.zeros(6)), TypeError, r"matrix.*np\.asarray\(it\), which shares its memory"),
    "record array": (lambda: np.zeros(6).view(np.recarray), TypeError, "recarray"),
    "a subclass": (lambda: np.zeros(6).view(Quantity), TypeError, "Quantity.*subclasses may mean more"),
    "read-only": (read_only, ValueError, r"is read-only.*\.copy\(\)"),
    "from bytes": (lambda: np.frombuffer(bytes(48)), ValueError, "is read-only"),
    "broadcast": (lambda: np.broadcast_to(np.zeros(1), 6), ValueError, r"overlaps itself.*strides \(0,\).*\.copy\(\)"),
    "one element six times": (lambda: as_strided(np.zeros(6), (6,), (0,)), ValueError, "overlaps itself"),
    "elements half over each other": (lambda: as_strided(np.zeros(6), (6,), (4,)), ValueError, "overlaps itself"),
    "windows": (lambda: as_strided(np.zeros(9), (4, 6), (8, 8)), ValueError, "overlaps itself"),
    "windows backwards": (lambda: as_strided(np.zeros(9)[5:], (4, 6), (8, -8)), ValueError, "overlaps itself"),
    "steps that meet again": (lambda: as_strided(np.zeros(30), (4, 3), (16, 24)), ValueError, "overlaps itself"),
}


# Each makes an object that is no gradient of a float64 parameter of shape (6,).
BAD_GRADIENTS = {
    "a list": (lambda: [0.0] * 6, TypeError, r"is a list; .*np\.array\(it"),
    "a number": (lambda: 0.5, TypeError, "is a float"),
    "a string": (lambda: "x", TypeError, "is a str"),
    "int64": (lambda: np.zeros(6, np.int64), TypeError, r"dtype int64; gradients are real floating-point.*astype"),
    "bool": (lambda: np.zeros(6, bool), TypeError, "dtype bool"),
    "complex128": (lambda: np.zeros(6, complex), TypeError, "complex128"),
    "object": (lambda: np.zeros(6, object), TypeError, "dtype object"),
    "strings": (lambda: np.zeros(6, "U3"), TypeError, "dtype <U3"),
    "structured": (lambda: np.zeros(6, [("x", "f8")]), TypeError, r"dtype \[\('x'"),
    "void like bfloat16": (lambda: np.zeros(6, "V2"), TypeError, r"dtype \|V2"),
    "datetime": (lambda: np.zeros(6, "M8[s]"), TypeError, "datetime64"),
    "masked": (lambda: np.ma.zeros(6), TypeError, "MaskedArray"),
    "matrix": (lambda: np.asmatrix(np.zeros(6)), TypeError, "matrix"),
    "a subclass": (lambda: np.zeros(6).view(Quantity), TypeError, "Quantity"),
    "0-d": (lambda: np.array(1.0), ValueError, r"shape \(\), the parameter \(6,\).*nothing is broadcast"),
    "a NumPy number": (lambda: np.float64(1), ValueError, r"shape \(\)"),
    "a NumPy integer": (lambda: np.int64(1), TypeError, "numpy.int64"),
    "one element": (lambda: np.zeros(1), ValueError, r"shape \(1,\)"),
    "one more": (lambda: np.zeros(7), ValueError, r"shape \(7,\)"),
    "one less": (lambda: np.zeros(5), ValueError, r"shape \(5,\)"),
    "a row": (lambda: np.zeros((1, 6)), ValueError, r"shape \(1, 6\)"),
    "a column": (lambda: np.zeros((6, 1)), ValueError, r"shape \(6, 1\)"),
    "as many elements": (lambda: np.zeros((2, 3)), ValueError, r"shape \(2, 3\)"),
    "nothing": (lambda: np.zeros(0), ValueError, r"shape \(0,\)"),
}


@pytest.fixture(params=["compiled", "in Python"])
def way(request, monkeypatch):
    if request.param == "in Python":
        monkeypatch.setattr(gate_module, "numba_available", lambda: False)
    elif not numba_available():
        pytest.skip("Numba is not available")


@pytest.mark.parametrize("when", ["at the first step", "later"])
@pytest.mark.parametrize("bad", BAD_PARAMETERS)
@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")  # np.matrix
def test_bad_parameters(way, bad, when):
    make, kind, said = BAD_PARAMETERS[bad]
    array = make()
    params, grads = [np.zeros(6), np.zeros(6)], [np.ones(6), np.ones(6)]
    gate = Gate(["good", "layer.W"])
    if when == "later":
        gate.read(params, grads)
    bad_grads = [grads[0], np.ones(getattr(array, "shape", 6))]
    refused(gate, [params[0], array], bad_grads, kind, rf"^parameter 'layer.W' .*{said}")


@pytest.mark.parametrize("when", ["at the first step", "later"])
@pytest.mark.parametrize("bad", BAD_GRADIENTS)
@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")  # np.matrix
def test_bad_gradients(way, bad, when):
    make, kind, said = BAD_GRADIENTS[bad]
    params = [np.zeros(6), np.zeros(6)]
    gate = Gate(["good", "layer.W"])
    if when == "later":
        gate.read(params, [np.ones(6), np.ones(6)])
    refused(gate, params, [np.ones(6), make()], kind, rf"^the gradient of 'layer.W' .*{said}")


def refused(gate, params, grads, kind, said):
    before = [np.array(each).tobytes() for each in params + grads if isinstance(each, np.ndarray)]
    for _ in range(2):
        with pytest.raises(kind, match=re.compile(said, re.DOTALL)):
            gate.read(params, grads)
    assert before == [np.array(each).tobytes() for each in params + grads if isinstance(each, np.ndarray)]


# Each is another look at the memory of a good array: only one of kind, dtype, flags, shape and strides differs.
SAME_PLACE = {
    "integers": (lambda w: w.view(np.int64), "dtype int64"),
    "times": (lambda w: w.view("M8[s]"), "dtype datetime64"),
    "swapped bytes": (lambda w: w.view(w.dtype.newbyteorder()), "byte order"),
    "complex numbers": (lambda w: w.view(complex), "dtype complex128"),
    "a mask": (lambda w: np.ma.array(w, copy=False), "MaskedArray"),
    "a subclass": (lambda w: w.view(Quantity), "Quantity"),
    "one axis more": (lambda w: w.reshape(6, 1), "gradient of 'w' has shape"),
    "fewer elements": (lambda w: w[:5], "gradient of 'w' has shape"),
    "one number": (lambda w: as_strided(w, (6,), (0,)), "overlaps itself"),
}


@pytest.mark.parametrize("look", SAME_PLACE)
def test_another_look_at_the_same_memory(way, look):
    make, said = SAME_PLACE[look]
    w, g = np.zeros(6), np.ones(6)
    gate = Gate(["w"])
    gate.read([w], [g])
    refused(gate, [make(w)], [g], (TypeError, ValueError), said)
    assert gate.read([w], [g]) is False


def test_one_element_is_not_a_number(way):
    w, g = np.zeros(1), np.ones(1)
    gate = Gate(["w"])
    gate.read([w], [g])
    refused(gate, [w], [g.reshape(())], ValueError, r"gradient of 'w' has shape \(\), the parameter \(1,\)")


def test_read_only_files(way, tmp_path):
    path = tmp_path / "w.npy"
    np.save(path, np.zeros(6))
    with pytest.raises(ValueError, match=r"'w' is read-only.*mmap_mode='r\+'"):
        Gate(["w"]).read([np.load(path, mmap_mode="r")], [np.zeros(6)])
    Gate(["w"]).read([np.load(path, mmap_mode="r+")], [np.zeros(6)])


def test_an_array_that_becomes_read_only(way):
    w, g = np.zeros(6), np.ones(6)
    gate = Gate(["w"])
    gate.read([w], [g])
    w.flags.writeable = False
    with pytest.raises(ValueError, match="'w' is read-only"):
        gate.read([w], [g])
    w.flags.writeable = True
    assert gate.read([w], [g]) is False


def test_tensors_of_torch(way):
    torch = pytest.importorskip("torch", reason="oracle torch is not installed")
    for tensor in (torch.zeros(6), torch.zeros(6, requires_grad=True)):
        with pytest.raises(
            TypeError, match=r"'w' is a torch\.Tensor; .*\.detach\(\)\.numpy\(\), which shares its memory"
        ):
            Gate(["w"]).read([tensor], [np.zeros(6)])
        with pytest.raises(TypeError, match=r"gradient of 'w' is a torch\.Tensor"):
            Gate(["w"]).read([np.zeros(6)], [tensor])


def test_arrays_of_jax(way):
    jax = pytest.importorskip("jax", reason="oracle jax is not installed")
    with pytest.raises(TypeError, match=r"'w' is a jax.*np\.array\(it\)"):
        Gate(["w"]).read([jax.numpy.zeros(6)], [np.zeros(6)])


SHARED = {
    "the same object": lambda a: (a, a),
    "views of one array": lambda a: (a[:], a[:]),
    "parts that overlap": lambda a: (a[:13], a[12:]),
    "one element in common": lambda a: (a[::5], a[::7]),
    "one inside the other": lambda a: (a, a[5:6]),
    "one backwards": lambda a: (a, a[::-1]),
    "a matrix and its transpose": lambda a: (a.reshape(4, 6), a.reshape(4, 6).T),
    "another dtype": lambda a: (a[:4], a.view(np.float32)[7:9]),
    "a row and a column": lambda a: (a.reshape(4, 6)[1], a.reshape(4, 6)[:, 2]),
}
APART = {
    "halves": lambda a: (a[:12], a[12:]),
    "even and odd": lambda a: (a[::2], a[1::2]),
    "columns": lambda a: (a.reshape(4, 6)[:, :3], a.reshape(4, 6)[:, 3:]),
    "columns far apart": lambda a: (a.reshape(4, 6)[:, 0], a.reshape(4, 6)[:, 5]),
    "real and imaginary part": lambda a: (a.view(complex).real, a.view(complex).imag),
    "nothing in the middle": lambda a: (a, a[5:][:0]),
    "nothing twice": lambda a: (a[5:][:0], a[5:][:0]),
}


@pytest.mark.parametrize("how", SHARED)
def test_two_names_over_one_memory(way, how):
    a, b = SHARED[how](BASE.copy())
    for params in ([np.zeros(2), a, b], [b, np.zeros(2), a]):
        names = ["W1", "b1", "W2"]
        first, second = (names[i] for i, w in enumerate(params) if w is a or w is b)
        with pytest.raises(
            ValueError, match=rf"^parameters '{first}' and '{second}' lie over the same memory.*\.copy\(\)"
        ):
            Gate(names).read(params, [np.zeros(w.shape) for w in params])
        gate = Gate(names)
        good = [np.zeros(w.shape, w.dtype) for w in params]
        gate.read(good, good)
        with pytest.raises(ValueError, match="lie over the same memory"):
            gate.read(params, good)


@pytest.mark.parametrize("how", APART)
def test_names_that_share_bounds_but_no_element(way, how):
    a, b = APART[how](BASE.copy())
    gate = Gate(["a", "b", "c"])
    assert gate.read([a, np.zeros(2), b], [np.zeros(a.shape), np.zeros(2), np.zeros(b.shape)])


def test_overlaps_agree_with_numpy_for_random_views():
    rng = np.random.default_rng(3)
    memory = np.zeros(400)
    seen = set()
    for _ in range(300):
        a, b = (memory[(s := rng.integers(0, 300)) : s + rng.integers(1, 90) : rng.integers(1, 9)] for _ in range(2))
        shared = np.shares_memory(a, b)
        seen.add(bool(shared))
        try:
            Gate("ab").read([a, b], [np.zeros(a.shape), np.zeros(b.shape)])
        except ValueError:
            assert shared
        else:
            assert not shared
    assert seen == {True, False}


def test_self_overlap_agrees_with_counting_for_random_strides():
    rng = np.random.default_rng(4)
    seen = set()
    for _ in range(500):
        shape = tuple(rng.integers(1, 5, rng.integers(1, 4)))
        strides = tuple(8 * rng.integers(-7, 8, len(shape)))
        array = as_strided(np.zeros(200)[100:], shape, strides)
        places = [sum(i * s for i, s in zip(index, strides, strict=True)) for index in np.ndindex(shape)]
        seen.add(overlap := len(set(places)) < len(places))
        assert arrays.overlaps_itself(array) == overlap
    assert seen == {True, False}


def test_more_elements_than_memory_need_no_counting():
    windows = as_strided(np.zeros(60_000), (30_000, 30_000), (8, 8))
    assert arrays.overlaps_itself(windows)


def test_arrays_too_tangled_to_tell_are_refused(monkeypatch):
    monkeypatch.setattr(arrays, "MOST_WORK", 1)
    memory = np.zeros((8, 9, 11, 7))
    a, b = memory[:, ::2, ::3, ::2], memory[:, 1::2, 1::3, 1::3]
    with pytest.raises(ValueError, match=r"'a' and 'b' are interleaved .*\.copy\(\)"):
        Gate("ab").read([a, b], [np.zeros(a.shape), np.zeros(b.shape)])
