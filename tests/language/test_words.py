"""The words, against scalar Python written from their docstrings."""

from __future__ import annotations

import math

import numpy as np
import pytest

from thalweg import words
from thalweg.language.vocabulary import WORDS

SIZES = (0, 1, 15, 16, 17, 4095, 4096, 4097, 10000)
SPECIAL = (0.0, -0.0, 1.5, -1.5, 1e-310, math.inf, -math.inf, math.nan)


def bits(x):
    x = np.asarray(x)
    return np.where(np.isnan(x), np.asarray(np.nan, x.dtype), x).view(f"u{x.itemsize}").tolist()


def larger(a, b):
    return a if a > b or math.isnan(a) else b


def smaller(a, b):
    return a if a < b or math.isnan(a) else b


def in_order(values, join, start):
    """Blocks of 4096, 16 lanes, halved; blocks from left to right. Plain Python floats."""
    blocks = []
    for first in range(0, len(values), 4096):
        lanes = [start] * 16
        for i, x in enumerate(values[first : first + 4096]):
            lanes[i % 16] = join(lanes[i % 16], x)
        for half in (8, 4, 2, 1):
            lanes = [join(lanes[k], lanes[k + half]) for k in range(half)]
        blocks.append(lanes[0])
    if not blocks:
        return start
    out = blocks[0]
    for block in blocks[1:]:
        out = join(out, block)
    return out


def add(values):
    return in_order(values, lambda a, b: a + b, 0.0)


def divided(a, n):
    return a / n if n else math.nan


REDUCTIONS = {
    "sum": add,
    "mean": lambda v: divided(add(v), len(v)),
    "norm": lambda v: math.sqrt(add([x * x for x in v])),
    "rms": lambda v: math.sqrt(divided(add([x * x for x in v]), len(v))),
    "amax": lambda v: in_order(v, larger, -math.inf),
}


def numbers(shape, dtype):
    """Numbers of 12 decades, so that another order of additions gives other bits."""
    rng = np.random.default_rng(1)
    return (rng.standard_normal(shape) * 10.0 ** rng.integers(-6, 6, shape)).astype(dtype)


def test_every_reduction_is_here():
    assert list(REDUCTIONS) == [name for name, word in WORDS.items() if word.kind == "reduction"]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("word", REDUCTIONS)
@pytest.mark.parametrize("size", SIZES)
def test_reduction_of_all_elements(word, size, dtype):
    x = numbers(size, dtype)
    found = getattr(words, word)(x)
    assert type(found) is float
    assert bits(found) == bits(REDUCTIONS[word]([float(e) for e in x]))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("word", REDUCTIONS)
@pytest.mark.parametrize("size", SIZES)
def test_reduction_along_an_axis_keeps_it(word, size, dtype):
    for shape, axis in (((2, size), -1), ((size, 2), -2), ((2, size, 1), -2), ((1, 2, size), -1)):
        x = numbers(shape, dtype)
        found = getattr(words, word)(x, axis=axis)
        lines = np.moveaxis(x, axis, -1)
        expected = np.zeros(lines.shape[:-1], dtype)
        for index in np.ndindex(expected.shape):
            expected[index] = REDUCTIONS[word]([float(e) for e in lines[index]])
        expected = np.expand_dims(expected, axis)
        assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
        assert bits(found) == bits(expected)


def test_the_order_is_a_promise_that_other_orders_break():
    draws = np.random.default_rng(2).standard_normal((20, 10000))
    for other in (np.sum, lambda x: np.cumsum(x)[-1], lambda x: words.sum(x[::-1]), math.fsum):
        assert any(words.sum(x) != other(x) for x in draws)


def test_reductions_follow_the_logical_order_in_any_layout():
    x = numbers((70, 61), "float64")
    padded = np.zeros((140, 183))
    padded[::2, ::-3] = x
    for same in (np.asfortranarray(x), x.T.copy().T, padded[::2, ::-3]):
        assert words.sum(same) == words.sum(x)
        assert bits(words.norm(same, axis=-2)) == bits(words.norm(x, axis=-2))


def test_squares_are_of_float64():
    x = np.full(3, 1e30, np.float32)  # its square overflows float32
    assert words.norm(x) == math.sqrt(3 * float(x[0]) ** 2)
    assert words.rms(x) == pytest.approx(1e30)


@pytest.mark.parametrize("place", [0, 5, 16, 4096, 9999])
def test_amax_of_a_nan_is_nan_wherever_it_stands(place):
    x = numbers(10000, "float32")
    x[place] = np.nan
    assert math.isnan(words.amax(x))
    assert np.isnan(words.amax(x.reshape(100, 100), axis=-1)).sum() == 1


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("word, scalar", [("maximum", larger), ("minimum", smaller)])
def test_selection_of_two(word, scalar, dtype):
    pairs = [(a, b) for a in SPECIAL for b in SPECIAL]
    a, b = (np.array([p[k] for p in pairs], dtype) for k in range(2))
    expected = np.array([scalar(x, y) for x, y in zip(a.tolist(), b.tolist(), strict=True)], dtype)
    chosen = getattr(words, word)
    assert bits(chosen(a, b)) == bits(expected)
    assert chosen(a, b).dtype == dtype
    for x in SPECIAL:
        assert bits(chosen(a, x)) == bits(chosen(a, np.full_like(a, x)))
        assert bits(chosen(x, a)) == bits(chosen(np.full_like(a, x), a))
    for x, y in pairs:
        found = chosen(x, y)
        assert type(found) is float
        assert bits(found) == bits(scalar(x, y))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_sign_keeps_zeros_and_nan(dtype):
    x = np.array(SPECIAL, dtype)
    expected = np.array([0.0, -0.0, 1, -1, 1 if dtype == "float64" else 0, 1, -1, math.nan], dtype)
    assert bits(words.sign(x)) == bits(expected)
    assert words.sign(x).dtype == dtype
    assert [bits(words.sign(e)) for e in SPECIAL] == [bits(e) for e in (0.0, -0.0, 1.0, -1.0, 1.0, 1.0, -1.0, math.nan)]


def test_abs_where_clip_and_square():
    x = np.array(SPECIAL, np.float32)
    assert bits(words.abs(x)) == bits(np.array([0, 0, 1.5, 1.5, 0, np.inf, np.inf, np.nan], np.float32))
    assert bits(words.abs(-0.0)) == bits(0.0)
    assert bits(words.where(x > 0, x, -0.0)) == bits(
        np.array([-0.0, -0.0, 1.5, -0.0, -0.0, np.inf, -0.0, -0.0], np.float32)
    )
    assert words.where(x > 0, 1.2, x).dtype == np.float32
    assert bits(words.clip(x, -1.0, 1.0)) == bits(np.array([0.0, -0.0, 1, -1, 0, 1, -1, np.nan], np.float32))
    assert bits(words.square(x)) == bits(x * x)
    assert (words.clip(5.0, -1.0, 1.0), words.square(-3.0)) == (1.0, 9.0)


@pytest.mark.parametrize(
    "word", [name for name, word in WORDS.items() if word.kind == "elementwise" and name != "where"]
)
def test_words_give_floats_for_numbers_and_keep_the_dtype_of_arrays(word):
    arity = WORDS[word].arity
    assert type(getattr(words, word)(*[0.75] * arity)) is float
    array = np.full(3, 0.75, np.float32)
    found = getattr(words, word)(array, *[0.5] * (arity - 1))
    assert (found.dtype, found.shape) == (np.float32, (3,))
    assert found == pytest.approx(getattr(words, word)(0.75, *[0.5] * (arity - 1)), rel=1e-6)


def test_powers_of_arrays():
    x = numbers(1000, "float32")
    assert bits(words.power(x, 2.0)) == bits(x * x)
    assert bits(words.power(x, -1.0)) == bits(np.float32(1) / x)
    assert bits(words.power(np.abs(x), 0.5)) == bits(np.sqrt(np.abs(x)))
    assert bits(words.power(x, 3.0)) == bits(np.power(x, 3.0))


@pytest.mark.parametrize(
    "word, arguments, message",
    [
        ("sqrt", (-2.0,), "sqrt(-2.0) is no real number"),
        ("log", (0.0,), "log(0.0) is no real number"),
        ("exp", (1000.0,), "exp(1000.0) is too large for a float"),
        ("power", (-8.0, 0.5), "power(-8.0, 0.5) is no real number"),
        ("power", (10.0, 400.0), "power(10.0, 400.0) is too large for a float"),
    ],
)
def test_a_number_that_does_not_exist(word, arguments, message):
    with pytest.raises((ValueError, OverflowError)) as caught:
        getattr(words, word)(*arguments)
    assert str(caught.value) == message


def test_what_is_exported_is_the_vocabulary():
    assert sorted(words.__all__) == sorted(WORDS)
    assert words.total(3.5) == 3.5


def test_matrix_words():
    x = np.random.default_rng(3).standard_normal((2, 4, 3))
    assert np.array_equal(words.transpose(x), np.swapaxes(x, 1, 2))
    q, r = words.qr(x)
    assert np.allclose(q @ r, x)
    symmetric = x @ words.transpose(x)
    values, vectors = words.eigh(symmetric)
    assert values.shape == (2, 1, 4)
    assert np.allclose(vectors * values @ words.transpose(vectors), symmetric)
    assert (np.diff(values) >= 0).all()
