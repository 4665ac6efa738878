"""Every array that is accepted gives the bits of a contiguous copy; every other is refused by name, nothing changed."""

from __future__ import annotations

import array
import tempfile
from fractions import Fraction
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from numpy.lib.stride_tricks import as_strided

import thalweg as tw
from tests.extra_rules import adafactor
from tests.optimizer.worlds import NAMES, RULES, World, bits, differences, rng, some_grads

DTYPES = {
    "float16": np.dtype(np.float16),
    "bfloat16": np.dtype(ml_dtypes.bfloat16),
    "float32": np.dtype(np.float32),
    "float64": np.dtype(np.float64),
}

# Each returns an array with the numbers of x, and the buffer that it lies in; all of the buffer that is not the array's
# has to stay as it is.


def same(x):
    return x, x


def fortran(x):
    w = np.array(x, order="F")
    return w, w


def part(x):
    base = np.full(tuple(n + 3 for n in x.shape), 7, x.dtype)
    return base[(*(slice(1, n + 1) for n in x.shape), ...)], base


def strided(x):
    base = np.full(tuple(3 * n + 1 for n in x.shape), 7, x.dtype)
    return base[(*(slice(1, 1 + 3 * n, 3) for n in x.shape), ...)], base


def backwards(x):
    base = x.copy()
    return base[(*(slice(None, None, -1) for _ in x.shape), ...)], base


def transposed(x):
    base = np.zeros(x.shape[::-1], x.dtype)
    return base.T, base


def turned(x):
    """The first axis is the last in memory, the others are in their order."""
    base = np.zeros(x.shape[1:] + x.shape[:1], x.dtype)
    return (np.moveaxis(base, -1, 0) if x.ndim else base), base


def of_a_large_buffer(x):
    base = np.full(1000 + x.size, 7, x.dtype)
    return base[500 : 500 + x.size].reshape(x.shape), base


def unaligned(x):
    base = bytearray(b"\7" * (x.nbytes + 3))
    return np.frombuffer(base, x.dtype, x.size, offset=1).reshape(x.shape), np.frombuffer(base, "u1")


def field(x):
    base = np.full(x.shape, 7, [("before", "u1"), ("w", x.dtype), ("after", "f4")])
    return base["w"], base


def field_aligned(x):
    base = np.full(x.shape, 7, np.dtype([("before", "f8"), ("w", x.dtype), ("after", "f8")], align=True))
    return base["w"], base


def inner_array(x):
    """A field that is an array itself."""
    base = np.zeros(2, [("n", "i4"), ("w", x.dtype, x.shape)])
    return base["w"][1, ...], base


def diagonal(x):
    base = np.full((x.size, x.size), 7, x.dtype)
    view = np.einsum("ii->i", base)
    return view.reshape(x.shape) if x.ndim < 2 else as_strided(view, x.shape, steps_of(x, view.strides[0])), base


def steps_of(x, step):
    return tuple(step * int(np.prod(x.shape[axis + 1 :])) for axis in range(x.ndim))


def mapped(x):
    with tempfile.NamedTemporaryFile(suffix=".bin") as file:
        Path(file.name).write_bytes(b"\7" * (x.nbytes + 16))
        base = np.memmap(file.name, np.uint8, "r+")
        view = np.memmap(file.name, x.dtype, "r+", offset=8, shape=x.shape or (1,))
        return view if x.ndim else view.reshape(()), base


def odd_strides_of_ones(x):
    """An axis of one element may have any stride."""
    return as_strided(x, (1, *x.shape), (3, *x.strides))[0, ...], x


LAYOUTS = [
    same, fortran, part, strided, backwards, transposed, turned, of_a_large_buffer, unaligned, field, field_aligned,
    inner_array, diagonal, mapped, odd_strides_of_ones,
]  # fmt: skip
SHAPES = [(), (1,), (7,), (3, 5), (2, 3, 4), (1, 6), (6, 1), (0,), (0, 3), (2, 0, 3), (4097,)]
MATRICES = [(3, 5), (2, 3, 4), (1, 6), (6, 1), (2, 0, 3)]


def lay_out(layout, values):
    """Return an array with these values in this layout, and all around it in the buffer, to be compared later."""
    w, base = layout(values.copy())
    assert w.shape == values.shape
    w[...] = values
    return w, base


def around(w, base):
    """The buffer with zeros where the array lies."""
    held = w.copy()
    w[...] = 0
    found = base.tobytes()
    w[...] = held
    return found


def drawn(shape, dtype, *seed):
    return np.array(rng(seed).standard_normal(shape)).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("rule", ["sgd", "adam", "novograd", "adafactor"])
def test_the_bits_of_a_contiguous_copy(rule, layout, dtype):
    dtype = DTYPES[dtype]
    rule = adafactor if rule == "adafactor" else RULES[rule]
    shapes = MATRICES if rule is adafactor else SHAPES
    if layout is diagonal:
        shapes = shapes[:-1]
    opt, reference = tw.Optimizer(rule), tw.Optimizer(rule)
    plain = {f"p{i}": drawn(shape, dtype, 1, i) for i, shape in enumerate(shapes)}
    laid_out = {name: lay_out(layout, w) for name, w in plain.items()}
    params = {name: w for name, (w, _) in laid_out.items()}
    before = {name: around(w, base) for name, (w, base) in laid_out.items()}
    for step in range(3):
        grads = {name: drawn(w.shape, dtype, 2, step, i) for i, (name, w) in enumerate(plain.items())}
        read = {name: lay_out(layout, g) for name, g in grads.items()}
        reference.update(plain, grads)
        opt.update(params, {name: g for name, (g, _) in read.items()})
        assert {name: bits(w) for name, w in params.items()} == {name: bits(w) for name, w in plain.items()}
        assert {name: bits(g) for name, (g, _) in read.items()} == {name: bits(g) for name, g in grads.items()}
    for name, slots in reference.state.items():
        for slot, value in slots.items():
            assert bits(np.asarray(opt.state[name][slot])) == bits(np.asarray(value))
    assert {name: around(w, base) for name, (w, base) in laid_out.items()} == before


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(7,), (3, 5), ()])
def test_other_layouts_of_parameters_and_gradients_at_every_step(shape, dtype):
    dtype = DTYPES[dtype]
    opt, reference = tw.Adam(), tw.Adam()
    w = drawn(shape, dtype, 3)
    current = w.copy()
    for step, layout in enumerate(LAYOUTS):
        g = drawn(shape, dtype, 4, step)
        laid_out, _ = lay_out(layout, current)
        reference.update({"w": w}, {"w": g})
        opt.update({"w": laid_out}, {"w": lay_out(LAYOUTS[-1 - step], g)[0]})
        assert bits(laid_out) == bits(w)
        current = np.array(laid_out, order="C", subok=False)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("given", [*DTYPES, "longdouble"])
def test_a_gradient_of_another_dtype_is_that_gradient_cast(dtype, given):
    dtype, given = DTYPES[dtype], DTYPES.get(given, np.dtype(given) if given == "longdouble" else None)
    computed = np.dtype(np.float32) if dtype.itemsize == 2 else dtype
    opt, reference = tw.Adam(), tw.Adam()
    w, other = np.ones(50, dtype), np.ones(50, dtype)
    for step in range(3):
        g = drawn(50, given, 5, step)
        opt.update({"w": w}, {"w": g})
        reference.update({"w": other}, {"w": g.astype(computed)})
        assert bits(w) == bits(other)


def test_a_parameter_in_a_file_is_updated_in_the_file(tmp_path):
    np.save(tmp_path / "w.npy", np.ones(5, np.float32))
    w = np.load(tmp_path / "w.npy", mmap_mode="r+")
    tw.SGD(lr=0.5).update({"w": w}, {"w": np.ones(5, np.float32)})
    w.flush()
    assert np.load(tmp_path / "w.npy").tolist() == [0.5] * 5


# What is refused ------------------------------------------------------------------------------------------------------


class Quantity(np.ndarray):
    """An array with a unit."""


class Wrapped:
    """Something that NumPy can make an array of."""

    def __array__(self, dtype=None, copy=None):
        return np.zeros(7, np.float32)


def read_only(w):
    w = w.copy()
    w.flags.writeable = False
    return w


def in_a_read_only_file(w):
    with tempfile.NamedTemporaryFile(suffix=".bin") as file:
        Path(file.name).write_bytes(w.tobytes())
        return np.memmap(file.name, w.dtype, "r", shape=w.shape)


def from_library(name, make):
    def made(w):
        return make(pytest.importorskip(name, reason=f"oracle {name.partition('.')[0]} is not installed"), w)

    return made


def of_dtype(dtype):
    return lambda w: np.zeros(w.shape, dtype)


# What stands in the place of a float32 parameter of shape (7,); what the message says.
BAD_PARAMETERS = {
    "read-only": (read_only, ValueError, "is read-only.*copy"),
    "of bytes": (lambda w: np.frombuffer(w.tobytes(), w.dtype), ValueError, "is read-only"),
    "in a read-only file": (in_a_read_only_file, ValueError, "is read-only.*mmap_mode='r\\+'"),
    "byte-swapped float32": (of_dtype(np.dtype("f4").newbyteorder()), ValueError, "byte order.*astype"),
    "byte-swapped float64": (of_dtype(np.dtype("f8").newbyteorder()), ValueError, "byte order.*astype"),
    "byte-swapped float16": (of_dtype(np.dtype("f2").newbyteorder()), ValueError, "byte order.*astype"),
    "objects": (of_dtype(object), TypeError, "dtype object; parameters are float16, bfloat16, float32 or float64"),
    "strings": (of_dtype("U3"), TypeError, "dtype <U3"),
    "byte strings": (of_dtype("S3"), TypeError, r"dtype \|S3"),
    "strings of any length": (of_dtype(np.dtypes.StringDType()), TypeError, "dtype StringDType"),
    "int64": (of_dtype(np.int64), TypeError, "dtype int64.*astype"),
    "int32": (of_dtype(np.int32), TypeError, "dtype int32"),
    "uint8": (of_dtype(np.uint8), TypeError, "dtype uint8"),
    "bool": (of_dtype(bool), TypeError, "dtype bool"),
    "complex128": (of_dtype(complex), TypeError, r"dtype complex128.*\.real and \.imag under two names"),
    "complex64": (of_dtype(np.complex64), TypeError, "dtype complex64"),
    "longdouble": (of_dtype("g"), TypeError, "dtype (float128|longdouble|float96)"),
    "float8": (of_dtype(ml_dtypes.float8_e4m3), TypeError, "dtype float8_e4m3"),
    "datetime": (of_dtype("M8[s]"), TypeError, "dtype datetime64"),
    "timedelta": (of_dtype("m8[s]"), TypeError, "dtype timedelta64"),
    "structured": (of_dtype([("x", "f4")]), TypeError, r"dtype \[\('x'"),
    "void": (of_dtype("V2"), TypeError, r"dtype \|V2"),
    "masked": (lambda w: np.ma.masked_less(w, 0), TypeError, "MaskedArray.*mask would be ignored"),
    "a matrix": (lambda w: w.view(np.matrix), TypeError, r"matrix.*np\.asarray\(it\)"),
    "a record array": (lambda w: w.view(np.recarray), TypeError, "recarray"),
    "a subclass": (lambda w: w.view(Quantity), TypeError, "Quantity.*more than their numbers"),
    "broadcast": (lambda w: np.broadcast_to(w[:1], w.shape), ValueError, r"overlaps itself.*\.copy\(\)"),
    "one place seven times": (lambda w: as_strided(w, (7,), (0,)), ValueError, "overlaps itself"),
    "half over each other": (lambda w: as_strided(w, (7,), (2,)), ValueError, "overlaps itself"),
    "windows": (lambda w: as_strided(w, (3, 5), (4, 4)), ValueError, "overlaps itself"),
    "a torch tensor": (
        from_library("torch", lambda torch, w: torch.from_numpy(w)),
        TypeError,
        r"torch\.Tensor.*\.detach\(\)\.numpy\(\)",
    ),
    "a jax array": (from_library("jax.numpy", lambda jnp, w: jnp.asarray(w)), TypeError, r"Array.*np\.array\(it\)"),
    "sparse": (
        from_library("scipy.sparse", lambda sparse, w: sparse.csr_array(w[None])),
        TypeError,
        r"csr_array.*\.toarray\(\)",
    ),
    "an object that makes arrays": (lambda w: Wrapped(), TypeError, r"Wrapped.*np\.array\(it"),
    "any object": (lambda w: object(), TypeError, "is a object"),
    "None": (lambda w: None, TypeError, "is a NoneType.*leave the name out"),
    "text": (lambda w: "0.5", TypeError, "is a str"),
    "bytes": (lambda w: w.tobytes(), TypeError, "is a bytes"),
    "a bool": (lambda w: True, TypeError, "is a bool"),
    "a complex number": (lambda w: 1j, TypeError, "is a complex"),
    "a fraction": (lambda w: Fraction(1, 2), TypeError, r"is a fractions\.Fraction"),
    "a NumPy integer": (lambda w: np.int64(1), TypeError, r"NumPy number \(numpy\.int64\).*float\(number\)"),
    "a NumPy bool": (lambda w: np.True_, TypeError, r"NumPy number \(numpy\.bool"),
    "a longdouble": (lambda w: np.longdouble(1), TypeError, r"NumPy number \(numpy\.longdouble"),
    "a set": (lambda w: {1.0}, TypeError, "is a set.*list or dict"),
    "a generator": (lambda w: (x for x in w), TypeError, "is a generator.*list or dict"),
    "a range of numbers": (lambda w: range(7), TypeError, "is a range"),
    "a memoryview": (memoryview, TypeError, r"is a memoryview.*np\.array\(it"),
    "an array of Python's": (lambda w: array.array("f", w), TypeError, r"is a array\.array"),
    "a function": (lambda w: abs, TypeError, "is a builtin_function_or_method"),
}


def bad_at(position, value, dtype=np.float32):
    def spoiled(g):
        g = g.astype(dtype)
        g[position] = value
        return g

    return spoiled


# What stands in the place of the gradient of that parameter.
BAD_GRADIENTS = {
    "one element more": (lambda g: np.ones(8, "f4"), ValueError, r"shape \(8,\), the parameter \(7,\)"),
    "one element less": (lambda g: g[:6], ValueError, r"shape \(6,\)"),
    "one that would broadcast": (lambda g: g[:1], ValueError, r"shape \(1,\).*nothing is broadcast"),
    "0-d": (lambda g: np.array(1.0), ValueError, r"shape \(\).*nothing is broadcast"),
    "a row": (lambda g: g[None], ValueError, r"shape \(1, 7\)"),
    "a column": (lambda g: g[:, None], ValueError, r"shape \(7, 1\)"),
    "no element": (lambda g: g[:0], ValueError, r"shape \(0,\)"),
    "int64": (of_dtype(np.int64), TypeError, "dtype int64; gradients are real floating-point numbers"),
    "uint8": (of_dtype(np.uint8), TypeError, "dtype uint8"),
    "bool": (of_dtype(bool), TypeError, "dtype bool"),
    "complex128": (of_dtype(complex), TypeError, "dtype complex128"),
    "objects": (of_dtype(object), TypeError, "dtype object"),
    "strings": (of_dtype("U3"), TypeError, "dtype <U3"),
    "datetime": (of_dtype("M8[s]"), TypeError, "dtype datetime64"),
    "structured": (of_dtype([("x", "f4")]), TypeError, r"dtype \[\('x'"),
    "void": (of_dtype("V4"), TypeError, r"dtype \|V4"),
    "masked": (lambda g: np.ma.masked_less(g, 0), TypeError, "MaskedArray"),
    "a matrix": (lambda g: g.view(np.matrix), TypeError, "matrix"),
    "a subclass": (lambda g: g.view(Quantity), TypeError, "Quantity"),
    "a list": (lambda g: [float(x) for x in g], TypeError, r"is a list.*np\.array\(it"),
    "a tuple": (tuple, TypeError, "is a tuple"),
    "a dict": (lambda g: {"x": g}, TypeError, "is an array of the parameter's shape, and this is of type dict"),
    "a number": (lambda g: 1.0, TypeError, "is a float"),
    "text": (lambda g: "1", TypeError, "is a str"),
    "a bool itself": (lambda g: False, TypeError, "is a bool"),
    "a torch tensor": (from_library("torch", lambda torch, g: torch.from_numpy(g)), TypeError, r"torch\.Tensor"),
    "a jax array": (from_library("jax.numpy", lambda jnp, g: jnp.asarray(g)), TypeError, "Array"),
    "sparse": (from_library("scipy.sparse", lambda sparse, g: sparse.csr_array(g[None])), TypeError, "csr_array"),
    "a NaN": (bad_at(6, np.nan), tw.NonFiniteError, r"is nan at \[6\]; nothing has changed"),
    "an infinity": (bad_at(0, np.inf), tw.NonFiniteError, r"is inf at \[0\]"),
    "an infinity below": (bad_at(3, -np.inf), tw.NonFiniteError, r"is -inf at \[3\]"),
    "a NaN of float16": (bad_at(6, np.nan, np.float16), tw.NonFiniteError, r"is nan at \[6\]"),
    "a NaN of bfloat16": (bad_at(6, np.nan, ml_dtypes.bfloat16), tw.NonFiniteError, r"is nan at \[6\]"),
    "an infinity of longdouble": (bad_at(6, np.inf, "g"), tw.NonFiniteError, r"is inf at \[6\]"),
    "a number too large": (
        bad_at(5, 1e39, np.float64),
        tw.NonFiniteError,
        r"is 1e\+39 at \[5\], too large for float32",
    ),
}

FIRST_NAME, LAST_NAME = "a first", "z last"


def world_with(name, rule, steps):
    """An optimizer at work on a dozen parameters and one more, of this name, which is the one that goes wrong."""
    world = World(rule)
    world.params = dict(sorted((world.params | {name: np.linspace(-1, 1, 7).astype(np.float32)}).items()))
    world.steps(steps)
    return world


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")  # np.matrix
@pytest.mark.parametrize(
    "rule, name, steps",
    [
        ("adam", LAST_NAME, 0),
        ("adam", LAST_NAME, 3),
        pytest.param("adam", FIRST_NAME, 3, marks=pytest.mark.slow),
        pytest.param("sgd", LAST_NAME, 3, marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize(
    "side, bad", [("params", bad) for bad in BAD_PARAMETERS] + [("grads", bad) for bad in BAD_GRADIENTS]
)
def test_refused_by_name_and_nothing_has_changed(side, bad, rule, name, steps):
    make, kind, message = (BAD_PARAMETERS if side == "params" else BAD_GRADIENTS)[bad]
    world = world_with(name, rule, steps)
    grads = some_grads(world.params, 5)
    given = {"params": dict(world.params), "grads": dict(grads)}
    given[side][name] = make(given[side][name])
    before, read = world.everything(), {name: bits(g) for name, g in grads.items()}
    for _ in range(2):
        who = f"parameter '{name}'" if side == "params" else f"the gradient of '{name}'"
        with pytest.raises(kind, match=rf"^{who} .*{message}"):
            world.opt.update(given["params"], given["grads"])
        assert differences(world.everything(), before) == []
        assert {name: bits(g) for name, g in grads.items()} == read
    untouched = world_with(name, rule, steps)
    for other in (world, untouched):
        other.steps(2)
    assert differences(world.everything(), untouched.everything()) == []


LAST = NAMES[-1]

# What is wrong with two names at once, or with none: from (params, grads) to (params, grads).
BAD_PAIRS = {
    "two names over one array": (
        lambda p, g: (p | {"q": p[LAST]}, g | {"q": g[LAST]}),
        ValueError,
        f"parameters '{LAST}' and 'q' lie over the same memory",
    ),
    "two names over a part": (
        lambda p, g: (p | {"q": p[LAST][5:]}, g | {"q": g[LAST][5:]}),
        ValueError,
        f"parameters '{LAST}' and 'q' lie over the same memory",
    ),
    "two names over another view": (
        lambda p, g: (p | {"q": p[LAST][::-2]}, g | {"q": g[LAST][::2]}),
        ValueError,
        f"parameters '{LAST}' and 'q' lie over the same memory",
    ),
    "two names over the bytes of one": (
        lambda p, g: (p | {"q": p[LAST].view(np.float16)}, g | {"q": np.ones(14)}),
        ValueError,
        f"parameters '{LAST}' and 'q' lie over the same memory",
    ),
    "no gradient for the last": (
        lambda p, g: (p, {name: x for name, x in g.items() if name != LAST}),
        ValueError,
        f"no gradient for '{LAST}'",
    ),
    "a gradient for no parameter": (lambda p, g: (p, g | {"q": g[LAST]}), ValueError, "for no parameter: 'q'"),
    "a misspelt gradient": (
        lambda p, g: (p, {{LAST: "p_11"}.get(name, name): x for name, x in g.items()}),
        ValueError,
        rf"no gradient for '{LAST}'.*'p_11' \(for '{LAST}'\?\)",
    ),
    "no gradients": (lambda p, g: (p, None), TypeError, "grads is a dict with the names of params, and nothing"),
    "a list of gradients": (lambda p, g: (p, list(g.values())), TypeError, "grads is a dict.*of type list"),
    "one gradient": (lambda p, g: (p, g[LAST]), TypeError, "grads is a dict.*of type ndarray"),
    "a set of parameters": (lambda p, g: (set(p), g), TypeError, "params is a dict.*of type set"),
    "no parameters": (lambda p, g: (None, g), TypeError, "params is a dict.*None"),
    "a number for all": (lambda p, g: (1.5, 1.0), TypeError, r"params is a number \(1\.5\)"),
    "a name that is a number": (lambda p, g: (p | {1: np.ones(1)}, g | {1: np.ones(1)}), TypeError, "strings; 1 is"),
    "a name inside that is a number": (
        lambda p, g: (p | {"q": {1: np.ones(1)}}, g | {"q": {1: np.ones(1)}}),
        TypeError,
        "strings; 1 is",
    ),
    "a number in a tuple": (
        lambda p, g: (p | {"q": (np.ones(1), 2.0)}, g | {"q": (np.ones(1), 2.0)}),
        TypeError,
        "'q.1' is a number in a tuple",
    ),
    "two leaves of one name": (
        lambda p, g: (p | {"q.r": np.ones(1), "q": {"r": np.ones(1)}}, g | {"q.r": np.ones(1), "q": {"r": np.ones(1)}}),
        ValueError,
        "2 parameters have the name 'q.r'",
    ),
}


@pytest.mark.parametrize("steps", [0, 3], ids=["at the first step", "later"])
@pytest.mark.parametrize("rule", ["sgd", "adam"])
@pytest.mark.parametrize("bad", BAD_PAIRS)
def test_what_is_wrong_with_the_whole(bad, rule, steps):
    make, kind, message = BAD_PAIRS[bad]
    world, untouched = World(rule, steps), World(rule, steps)
    params, grads = make(world.params, some_grads(world.params, 5))
    before = world.everything()
    with pytest.raises(kind, match=message):
        world.opt.update(params, grads)
    assert differences(world.everything(), before) == []
    for other in (world, untouched):
        other.steps(2)
    assert differences(world.everything(), untouched.everything()) == []


def test_the_optimizers_own_state_as_a_parameter():
    world, untouched = World("adam", 3), World("adam", 3)
    before = world.everything()
    grads = some_grads(world.params, 5)
    for name, part in ((LAST, world.opt.state[LAST]["m"]), ("q", world.opt.state["p00"]["v"][1:])):
        with pytest.raises(ValueError, match=f"parameter '{name}' lies in the memory of the optimizer's own state"):
            world.opt.update(world.params | {name: part}, grads | {name: np.ones_like(part)})
        assert differences(world.everything(), before) == []
    for other in (world, untouched):
        other.steps(2)
    assert differences(world.everything(), untouched.everything()) == []


def test_there_are_as_many_kinds_as_promised():
    assert len(BAD_PARAMETERS) + len(BAD_GRADIENTS) + len(BAD_PAIRS) > 100
