"""The convention "paper" against its equations, evaluated with more digits."""

from __future__ import annotations

import numpy as np
import pytest

import thalweg as tw
from tests.rules.formulas import ByHand, Paper
from tests.rules.sequences import copied, distance, path_of, start, wide

# Some ten roundings of 1.1e-16 a step, relative to the parameter or a step that is no larger: 1.1e-13 after 100
TOLERANCE = 1.1e-13
CASES = {
    "sgd": [dict(lr=0.01), dict(lr=0.37)],
    "momentum": [dict(lr=0.01, momentum=0.9), dict(lr=0.31, momentum=0.41)],
    "nesterov": [dict(lr=0.01, momentum=0.9), dict(lr=0.31, momentum=0.41)],
    "adagrad": [dict(lr=0.01, eps=1e-8, eps_root=0.0), dict(lr=0.7, eps=1e-3, eps_root=1e-2)],
    "rmsprop": [
        dict(lr=0.01, decay_rate=0.9, eps=1e-8, eps_root=0.0),
        dict(lr=0.7, decay_rate=0.6, eps=1e-3, eps_root=1e-2),
    ],
    "adam": [
        dict(lr=0.001, beta1=0.9, beta2=0.999, eps=1e-8, eps_root=0.0),
        dict(lr=0.2, beta1=0.7, beta2=0.96, eps=1e-3, eps_root=1e-2),
        dict(lr=0.2, beta1=0.0, beta2=0.96, eps=0.1, eps_root=0.0),
    ],
}
ROWS = [pytest.param(name, numbers, id=f"{name}-{i}") for name, rows in CASES.items() for i, numbers in enumerate(rows)]
# NumPy's longdouble is float64 itself on some platforms; then the formulas still stand, with less of a margin.
DIGITS = np.longdouble


def precise(name, numbers, gradients):
    exact = {key: np.array(value, DIGITS) for key, value in numbers.items()}
    params = {key: np.asarray(w, DIGITS) for key, w in start().items()}
    by_hand = ByHand(getattr(Paper, name), **exact)
    return path_of(by_hand, params, [{key: np.asarray(g, DIGITS) for key, g in grads.items()} for grads in gradients])


@pytest.mark.parametrize("name, numbers", ROWS)
def test_a_hundred_steps_over_12_decades(name, numbers):
    gradients = wide(100)
    ours = path_of(tw.Optimizer(name, convention="paper", **numbers), start(), gradients)
    assert distance(ours, precise(name, numbers, gradients)) <= TOLERANCE


@pytest.mark.parametrize("name", CASES)
def test_the_first_numbers_are_the_defaults(name):
    assert dict(tw.RULES[name].conventions["paper"].defaults) == CASES[name][0]


@pytest.mark.parametrize("name, numbers", ROWS)
def test_float32_follows_within_its_own_digits(name, numbers):
    """Parameters of float32 are computed in float32: some ten roundings of 6e-8 a step."""
    gradients = wide(20, decades=6)
    small = {key: w.astype(np.float32) for key, w in start().items()}
    narrow = [{key: g.astype(np.float32) for key, g in grads.items()} for grads in gradients]
    opt = tw.Optimizer(name, convention="paper", **numbers)
    ours = path_of(opt, small, narrow)
    by_hand = ByHand(getattr(Paper, name), **numbers)
    params = copied({key: w.astype(np.float64) for key, w in start().items()})
    wide_path = path_of(by_hand, params, [{k: g.astype(np.float64) for k, g in grads.items()} for grads in narrow])
    assert all(w.dtype == np.float32 for w in small.values())
    assert distance(ours, wide_path) <= 20 * 10 * 6e-8
