"""The direction against the matrix that it stands for, in 50 digits; and the order of sums."""

from __future__ import annotations

import numpy as np
import pytest
from mpmath import mp, mpf

from tests.quasi_newton.functions import rng
from thalweg import words
from thalweg.quasi_newton.inner import inner, largest
from thalweg.quasi_newton.two_loop import Pair, descent, remembered

EPS = np.finfo(float).eps


def some_pairs(n, count, condition=100.0):
    """Steps, and what a quadratic function makes of them, so that there is curvature along each."""
    scales = np.geomspace(1.0, condition, n)
    steps = [rng(n, k).standard_normal(n) for k in range(count)]
    return [(s, scales * s) for s in steps]


def exactly(x):
    return mp.matrix([mpf(float(element)) for element in x])


def dot(a, b):
    return mp.fsum(x * y for x, y in zip(a, b, strict=True))


def by_matrix(gradient, pairs):
    """Nocedal & Wright (7.16) and (7.20): the matrix H, written out, times -g."""
    n = len(gradient)
    h = mp.eye(n)
    if pairs:
        s, y = map(exactly, pairs[-1])
        h *= dot(s, y) / dot(y, y)
    for pair in pairs:
        s, y = map(exactly, pair)
        rho = 1 / dot(y, s)
        v = mp.eye(n) - rho * y * s.T
        h = v.T * h * v + rho * s * s.T
    return -h * exactly(gradient)


def by_algorithm(gradient, pairs):
    """Nocedal & Wright, algorithm 7.4, from the page; it gives H g."""
    q, a = exactly(gradient), {}
    for i in reversed(range(len(pairs))):
        s, y = map(exactly, pairs[i])
        a[i] = dot(s, q) / dot(y, s)
        q -= a[i] * y
    s, y = map(exactly, pairs[-1])
    r = q * (dot(s, y) / dot(y, y))
    for i in range(len(pairs)):
        s, y = map(exactly, pairs[i])
        b = dot(y, r) / dot(y, s)
        r += s * (a[i] - b)
    return -r


@pytest.fixture(autouse=True)
def _digits():
    with mp.workdps(50):
        yield


@pytest.mark.parametrize("count", [1, 2, 5, 7])
def test_the_direction_is_that_of_the_matrix(count):
    """Each pair brings a few roundings of terms that are `condition` times as large as the result, at most."""
    n, condition = 5, 100.0
    pairs = some_pairs(n, count, condition)
    gradient = rng(9).standard_normal(n)
    expected = by_matrix(gradient, pairs)
    assert max(abs(x) for x in by_algorithm(gradient, pairs) - expected) < 1e-40
    found = descent(gradient, [Pair.of(s, y) for s, y in pairs])
    size = float(max(abs(x) for x in expected))
    error = max(abs(float(mpf(x) - e)) for x, e in zip(found, expected, strict=True))
    assert error <= 10 * count * condition * EPS * size


def test_with_as_many_pairs_as_dimensions_it_is_newtons():
    """With exact line searches along conjugate steps H is the inverse; steps along the axes are conjugate."""
    scales = np.array([1.0, 4.0, 16.0])
    pairs = [Pair.of(s, scales * s) for s in np.eye(3)]
    assert descent(np.array([3.0, 8.0, -16.0]), pairs).tolist() == [-3.0, -2.0, 1.0]


def test_without_a_pair_it_is_steepest_descent():
    gradient = np.array([1.0, -2.0], np.float32)
    found = descent(gradient, [])
    assert (found.tolist(), found.dtype) == ([-1.0, 2.0], np.float32)


def test_nothing_is_written_to():
    pairs, gradient = some_pairs(4, 3), rng(3).standard_normal(4)
    before = [x.tobytes() for pair in pairs for x in pair] + [gradient.tobytes()]
    descent(gradient, [Pair.of(s, y) for s, y in pairs])
    assert [x.tobytes() for pair in pairs for x in pair] + [gradient.tobytes()] == before


@pytest.mark.parametrize("curvature, is_kept", [(1e-10, False), (1.0001e-10, True), (0.0, False), (-1.0, False)])
def test_pairs_with_too_little_curvature_are_left_out(curvature, is_kept):
    assert (Pair.of(np.array([1.0, 0.0]), np.array([curvature, 5.0])) is not None) is is_kept


def test_the_newest_pairs_are_remembered():
    a, b, c = (Pair.of(s, y) for s, y in some_pairs(2, 3))
    assert remembered((a,), b, 2) == (a, b)
    assert remembered((a, b), c, 2) == (b, c)
    assert remembered((a, b), None, 2) == (a, b)
    assert remembered((a, b), None, 1) == (b,)
    assert remembered((), None, 3) == ()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 100, 4095, 4096, 4097, 8191, 8192, 12_300, 50_001])
def test_inner_products_have_the_bits_of_the_words(size, dtype):
    a, b = (rng(size, k).standard_normal(size).astype(dtype) for k in range(2))
    assert inner(a, b) == words.sum(a.astype(np.float64) * b.astype(np.float64))
    assert inner(a[::-1], b) == words.sum(a[::-1].astype(np.float64) * b.astype(np.float64))


def test_the_largest_of_nothing_is_zero():
    assert largest(np.zeros(0)) == 0
    assert largest(np.array([1.0, -3.0])) == 3
