"""Inexact words, one by one: what a kernel makes of a number is within 4 units in the last place of NumPy's."""

from __future__ import annotations

import numpy as np
import pytest

import thalweg as tw
from tests.kernels.twins import DTYPES, needs_numba
from tests.language.agreement import without_numba
from thalweg.language.vocabulary import WORDS

pytestmark = needs_numba
ULPS, COUNT = 4, 20000


CALLS = {
    "exp": "exp(g)", "log": "log(g)", "tanh": "tanh(g)", "cbrt": "cbrt(g)", "atan2": "atan2(w, g)",
    "power": "power(g, exponent)",
}  # fmt: skip


def rule_of(word):
    """Return the rule whose step is lr times this word."""
    more = ", exponent=0.25" if word == "power" else ""
    return tw.rule(f"def of_{word}(w, g, *, lr=1.0{more}):\n    w = lr * {CALLS[word]}\n    return w")


RULES = {word: rule_of(word) for word in CALLS}


def draw(rng, how, dtype):
    """Numbers over half of the decades that a dtype has on both sides of one, or evenly over an interval."""
    decades = {"float32": 18, "float64": 150}[dtype]
    if isinstance(how, float):
        return rng.uniform(-how, how, COUNT).astype(dtype)
    sign = rng.choice([-1.0, 1.0], COUNT) if how == "of both signs" else 1.0
    return (sign * 10.0 ** rng.uniform(-decades, decades, COUNT)).astype(dtype)


# A word, numbers that it takes, and hyper-parameters; 88.7 is the logarithm of the largest float32.
ROWS = [
    ("exp", 80.0, {}),
    ("exp", 1.0, {}),
    ("log", "positive", {}),
    ("tanh", 10.0, {}),
    ("tanh", 1e-3, {}),
    ("cbrt", "of both signs", {}),
    ("atan2", "of both signs", {}),
    ("atan2", 1.0, {}),
    *(("power", "positive", {"exponent": p}) for p in (1 / 3, 0.125, 0.25, -0.25, -0.4, 0.77, 1.9)),
]


# A kernel takes seconds to compile: most rows are for `make test-all`.
@pytest.mark.parametrize(
    "word, how, numbers, dtype",
    [
        pytest.param(*row, dtype, id=f"{row[0]} {k} {dtype}", marks=[pytest.mark.slow] if (k + i) % 5 else [])
        for k, row in enumerate(ROWS)
        for i, dtype in enumerate(DTYPES)
    ],
)
def test_a_word_of_a_kernel_is_that_of_numpy(word, how, numbers, dtype):
    rng, results = np.random.default_rng(5), []
    w, g = (draw(rng, how, dtype) for _ in range(2))

    def result():
        params = {"w": w.copy()}
        tw.Optimizer(RULES[word], **numbers).update(params, {"w": g})
        return params["w"]

    results.append(result())
    with without_numba():
        results.append(result())
    kernel, meaning = results
    assert np.isfinite(meaning).all()
    assert (np.abs(kernel - meaning) <= ULPS * np.spacing(np.abs(meaning))).all()


def test_these_are_the_inexact_words():
    assert {row[0] for row in ROWS} == {name for name, w in WORDS.items() if not w.exact and w.kind == "elementwise"}
