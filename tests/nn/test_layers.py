from __future__ import annotations

import numpy as np
import pytest

from tests.nn.finite_differences import TOLERANCE, central_differences
from thalweg import nn

ACTIVATIONS = [nn.ReLU, nn.Sigmoid, nn.Tanh]


def rng(seed=0):
    return np.random.Generator(np.random.PCG64(seed))


def away_from_zero(x):
    """ReLU has no derivative at 0: leave a gap of 0.01, far more than a finite difference's step."""
    return x + np.copysign(0.01, x)


@pytest.mark.parametrize("layer_class", ACTIVATIONS)
def test_an_activations_gradient_is_the_finite_difference(layer_class):
    layer, x, weights = (
        layer_class(),
        away_from_zero(2 * rng(1).standard_normal((6, 5))),
        rng(2).standard_normal((6, 5)),
    )
    layer.forward(x)
    dx = layer.backward(weights)

    def f():
        return float(np.sum(layer_class().forward(x) * weights) / 10)

    assert np.abs(dx / 10 - central_differences(f, x)).max() < TOLERANCE


def test_affines_gradients_are_the_finite_differences():
    r = rng(3)
    x, W, b, weights = (r.standard_normal(shape) for shape in [(4, 3), (3, 5), (5,), (4, 5)])
    layer = nn.Affine(W, b)
    layer.forward(x)
    dx = layer.backward(weights)

    def f():
        return float(np.sum((x @ W + b) * weights) / 10)

    for gradient, array in [(dx, x), (layer.dW, W), (layer.db, b)]:
        assert gradient.shape == array.shape
        assert np.abs(gradient / 10 - central_differences(f, array)).max() < TOLERANCE


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "make",
    [
        *ACTIVATIONS,
        lambda: nn.Dropout(0.3, rng=rng()),
        lambda: nn.Dropout(0.3, mode="inverted", rng=rng()),
    ],
)
@pytest.mark.parametrize("train", [False, True])
def test_a_layer_keeps_the_dtype_and_writes_to_nothing_it_is_given(make, dtype, train):
    layer = make()
    x, dout = rng(4).standard_normal((3, 4)).astype(dtype), rng(5).standard_normal((3, 4)).astype(dtype)
    x.flags.writeable = dout.flags.writeable = False
    out, dx = layer.forward(x, train), layer.backward(dout)
    assert out.dtype == dx.dtype == dtype
    assert out.shape == dx.shape == x.shape


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_affine_keeps_the_dtype_and_gives_new_gradient_arrays(dtype):
    W, b, x = (rng(6).standard_normal(shape).astype(dtype) for shape in [(3, 2), (2,), (4, 3)])
    layer = nn.Affine(W, b)
    out = layer.forward(x)
    dx = layer.backward(out)
    first = layer.dW, layer.db
    layer.backward(2 * out)
    assert {array.dtype for array in (out, dx, *first)} == {np.dtype(dtype)}
    assert first[0] is not layer.dW
    assert first[1] is not layer.db
    assert np.array_equal(2 * first[0], layer.dW)
    assert np.array_equal(2 * first[1], layer.db)


def test_affine_uses_the_very_arrays_it_was_given():
    W, b = np.ones((2, 2)), np.zeros(2)
    layer = nn.Affine(W, b)
    W += 1
    b -= 3
    assert np.array_equal(layer.forward(np.array([[1.0, 10.0]])), [[19.0, 19.0]])


def test_relu_by_hand():
    layer = nn.ReLU()
    assert np.array_equal(layer.forward(np.array([[-2.0, 0.0, 3.0, np.nan]])), [[0, 0, 3, np.nan]], equal_nan=True)
    assert np.array_equal(layer.backward(np.array([[5.0, 6.0, 7.0, 8.0]])), [[0, 0, 7, 0]])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sigmoid_at_both_ends_keeps_its_digits_and_does_not_overflow(dtype):
    y = nn.Sigmoid().forward(np.array([[-1e4, -40.0, 0.0, 40.0, 1e4]], dtype))[0]
    assert y[0] == 0
    assert y[1] == pytest.approx(4.248354255291589e-18, rel=4 * float(np.finfo(dtype).eps))  # exp(-40) / (1 + exp(-40))
    assert y[2] == 0.5
    assert y[3] == y[4] == 1


@pytest.mark.parametrize("make", [*ACTIVATIONS, lambda: nn.Affine(np.ones((2, 2)), np.ones(2))])
def test_backward_without_forward_says_what_to_call(make):
    with pytest.raises(RuntimeError, match=r"call forward\(x\) first"):
        make().backward(np.ones((1, 2)))


@pytest.mark.parametrize(
    "W, b, error, message",
    [
        (np.ones((2, 3)), np.ones(2), ValueError, r"W as \(in, out\) and b as \(out,\)"),
        (np.ones(3), np.ones(3), ValueError, r"W as \(in, out\)"),
        (np.ones((2, 3)), np.ones((1, 3)), ValueError, r"b as \(out,\)"),
        (np.ones((2, 3), np.int64), np.ones(3, np.int64), TypeError, "one floating dtype"),
        (np.ones((2, 3)), np.ones(3, np.float32), TypeError, "W is float64 and b float32"),
    ],
)
def test_affine_refuses_other_parameters(W, b, error, message):
    with pytest.raises(error, match=message):
        nn.Affine(W, b)


@pytest.mark.parametrize(
    "x, error, message",
    [
        (np.ones((1, 3)), ValueError, r"shape \(1, 3\); give a batch of the shape \(n, 2\)"),
        (np.ones(2), ValueError, r"shape \(2,\)"),
        (np.ones((1, 2), np.float32), TypeError, r"x\.astype\('float64'\)"),
    ],
)
def test_affine_refuses_other_batches(x, error, message):
    with pytest.raises(error, match=message):
        nn.Affine(np.ones((2, 2)), np.ones(2)).forward(x)
