from __future__ import annotations

import math

import numpy as np
import pytest

from tests.nn.finite_differences import TOLERANCE, central_differences
from thalweg import nn


def generator(seed=0):
    return np.random.Generator(np.random.PCG64(seed))


class Recorded:
    """A generator whose draws are written down, so that the mask of a ratio can be read off the page."""

    def random(self, shape):
        return np.array([[0.1, 0.3, 0.5], [0.30001, 0.9, 0.0]])


X = np.array([[1.0, -2.0, 3.0], [4.0, 5.0, -6.0]])
MASK = np.array([[0, 0, 1], [1, 1, 0]])  # rand > 0.3, so 0.3 itself is off


@pytest.mark.parametrize("mode, training, test", [("book", 1.0, 0.7), ("inverted", 1 / 0.7, 1.0)])
def test_both_forms_on_a_fixed_mask(mode, training, test):
    layer = nn.Dropout(0.3, mode, rng=Recorded())
    assert np.array_equal(layer.forward(X, train=True), X * MASK * training)
    assert np.array_equal(layer.backward(np.ones((2, 3))), MASK * training)
    assert np.array_equal(layer.forward(X), X * test)
    assert np.array_equal(layer.backward(np.ones((2, 3))), np.full((2, 3), test))


@pytest.mark.parametrize("mode", ["book", "inverted"])
@pytest.mark.parametrize("train", [True, False])
def test_the_gradient_is_the_finite_difference(mode, train):
    x, weights = generator(1).standard_normal((2, 3)), generator(2).standard_normal((2, 3))
    layer = nn.Dropout(0.3, mode, rng=Recorded())
    layer.forward(x, train)
    dx = layer.backward(weights)

    def f():
        return float(np.sum(nn.Dropout(0.3, mode, rng=Recorded()).forward(x, train) * weights))

    assert np.abs(dx - central_differences(f, x)).max() < TOLERANCE


@pytest.mark.parametrize("mode", ["book", "inverted"])
def test_the_expected_output_in_training_is_the_output_in_test(mode):
    n, ratio = 40_000, 0.3
    layer = nn.Dropout(ratio, mode, rng=generator(3))
    x = np.ones((n, 1))
    train, test = layer.forward(x, train=True).mean(), layer.forward(x).mean()
    scale = 1 if mode == "book" else 1 / (1 - ratio)
    assert abs(train - test) < 6 * scale * math.sqrt(ratio * (1 - ratio) / n)


def test_the_mask_depends_on_the_generator_and_not_on_the_dtype():
    masks = [
        nn.Dropout(0.5, rng=generator(seed)).forward(np.ones((20, 20), dtype), train=True) > 0
        for seed, dtype in [(1, np.float64), (1, np.float32), (2, np.float64)]
    ]
    assert np.array_equal(masks[0], masks[1])
    assert not np.array_equal(masks[0], masks[2])


def test_each_training_pass_draws_a_new_mask_and_a_test_draws_none():
    layer, again = nn.Dropout(0.5, rng=generator(1)), nn.Dropout(0.5, rng=generator(1))
    x = np.ones((20, 20))
    first, second = layer.forward(x, train=True), layer.forward(x, train=True)
    assert not np.array_equal(first, second)
    assert np.array_equal(again.forward(x, train=True), first)
    again.forward(x)
    assert np.array_equal(again.forward(x, train=True), second)


@pytest.mark.parametrize("ratio", [-0.1, 1.0, 1.5, float("nan")])
def test_another_ratio_is_refused(ratio):
    with pytest.raises(ValueError, match="0 <= ratio < 1"):
        nn.Dropout(ratio, rng=generator())


def test_another_mode_is_refused_with_the_legal_ones():
    with pytest.raises(ValueError, match="'scaled'; it can be 'book' or 'inverted'"):
        nn.Dropout(0.5, "scaled", rng=generator())


def test_backward_without_forward_says_what_to_call():
    with pytest.raises(RuntimeError, match=r"call forward\(x\) first"):
        nn.Dropout(0.5, rng=generator()).backward(np.ones((1, 2)))
