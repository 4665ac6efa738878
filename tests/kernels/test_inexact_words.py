"""Inexact words, one by one: what a kernel makes of a number is within 4 units in the last place of NumPy's."""

from __future__ import annotations

import numpy as np
import pytest

import thalweg as tw
from tests.kernels.twins import DTYPES, needs_numba
from tests.language.agreement import without_numba
from thalweg.language.vocabulary import WORDS
from thalweg.words import atan2, cbrt, exp, log, power, tanh

pytestmark = needs_numba
ULPS, COUNT = 4, 20000


@tw.rule
def exponential(w, g, *, lr=1.0):
    w = lr * exp(g)
    return w


@tw.rule
def logarithm(w, g, *, lr=1.0):
    w = lr * log(g)
    return w


@tw.rule
def tangent(w, g, *, lr=1.0):
    w = lr * tanh(g)
    return w


@tw.rule
def third_root(w, g, *, lr=1.0):
    w = lr * cbrt(g)
    return w


@tw.rule
def angle(w, g, *, lr=1.0):
    w = lr * atan2(w, g)
    return w


@tw.rule
def to_a_power(w, g, *, lr=1.0, exponent=0.25):
    w = lr * power(g, exponent)
    return w


def draw(rng, how, dtype):
    """Numbers over half of the decades that a dtype has on both sides of one, or evenly over an interval."""
    decades = {"float32": 18, "float64": 150}[dtype]
    if isinstance(how, float):
        return rng.uniform(-how, how, COUNT).astype(dtype)
    sign = rng.choice([-1.0, 1.0], COUNT) if how == "of both signs" else 1.0
    return (sign * 10.0 ** rng.uniform(-decades, decades, COUNT)).astype(dtype)


# Beside the name of the word, numbers that it takes; 88.7 is the logarithm of the largest float32.
ROWS = [
    (exponential, "exp", 80.0, {}),
    (exponential, "exp", 1.0, {}),
    (logarithm, "log", "positive", {}),
    (tangent, "tanh", 10.0, {}),
    (tangent, "tanh", 1e-3, {}),
    (third_root, "cbrt", "of both signs", {}),
    (angle, "atan2", "of both signs", {}),
    (angle, "atan2", 1.0, {}),
    *((to_a_power, "power", "positive", {"exponent": p}) for p in (1 / 3, 0.125, 0.25, -0.25, -0.4, 0.77, 1.9)),
]


# A kernel takes seconds to compile: most rows are for `make test-all`.
@pytest.mark.parametrize(
    "rule, word, how, numbers, dtype",
    [
        pytest.param(*row, dtype, id=f"{row[1]} {k} {dtype}", marks=[pytest.mark.slow] if (k + i) % 5 else [])
        for k, row in enumerate(ROWS)
        for i, dtype in enumerate(DTYPES)
    ],
)
def test_a_word_of_a_kernel_is_that_of_numpy(rule, word, how, numbers, dtype):
    rng, results = np.random.default_rng(5), []
    w, g = (draw(rng, how, dtype) for _ in range(2))

    def result():
        params = {"w": w.copy()}
        tw.Optimizer(rule, **numbers).update(params, {"w": g})
        return params["w"]

    results.append(result())
    with without_numba():
        results.append(result())
    kernel, meaning = results
    assert np.isfinite(meaning).all()
    assert (np.abs(kernel - meaning) <= ULPS * np.spacing(np.abs(meaning))).all()


def test_these_are_the_inexact_words():
    assert {row[1] for row in ROWS} == {name for name, w in WORDS.items() if not w.exact and w.kind == "elementwise"}
