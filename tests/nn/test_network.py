from __future__ import annotations

import copy
import json
import math
from pathlib import Path

import numpy as np
import pytest

from tests.nn.finite_differences import TOLERANCE, central_differences
from thalweg import nn

RECORDED = json.loads((Path(__file__).parents[1] / "data" / "layers_torch.json").read_text())


def rng(seed=0):
    return np.random.Generator(np.random.PCG64(seed))


def batch(n=6, inputs=5, classes=4, seed=1):
    r = rng(seed)
    return r.standard_normal((n, inputs)), r.integers(0, classes, n)


def small(**options):
    options = {"dtype": np.float64, **options}
    network = nn.Network((5, 7, 6, 4), **options)
    for name in ("b1", "b2", "b3"):  # no parameter at 0, where an error could hide
        network.params[name] += 0.1 * rng(7).standard_normal(network.params[name].shape)
    return network


@pytest.mark.parametrize("activation", nn.ACTIVATIONS)
def test_the_gradient_is_the_finite_difference(activation):
    network, (x, y) = small(activation=activation), batch()
    hidden = x
    for i in (1, 2):
        before = hidden @ network.params[f"W{i}"] + network.params[f"b{i}"]
        assert np.abs(before).min() > 1e-3, "a kink of ReLU would spoil the finite difference"
        hidden = np.maximum(before, 0)
    grads = network.gradient(x, y)
    assert list(grads) == list(network.params) == ["W1", "b1", "W2", "b2", "W3", "b3"]
    for name, array in network.params.items():
        numerical = central_differences(lambda: network.loss(x, y), array)
        assert np.abs(grads[name] - numerical).max() < TOLERANCE, name
        assert np.abs(numerical).max() > 1e-3, "nothing to compare"


def test_with_dropout_the_gradient_is_that_of_the_same_masks():
    x, y = batch()
    network = small(dropout=0.4, activation="tanh")
    start = copy.deepcopy(network)
    loss, grads = network.loss_and_gradient(x, y)

    def f():
        again = copy.deepcopy(start)  # its generator is where it was before the gradient
        again.params.update(network.params)
        return again.loss(x, y, train=True)

    assert f() == loss
    for name, array in network.params.items():
        assert np.abs(grads[name] - central_differences(f, array)).max() < TOLERANCE, name


def test_dropout_is_the_books_after_each_hidden_activation():
    network, (x, _) = small(dropout=0.25), batch()
    p = network.params
    hidden = 0.75 * np.maximum(x @ p["W1"] + p["b1"], 0)
    hidden = 0.75 * np.maximum(hidden @ p["W2"] + p["b2"], 0)
    assert np.allclose(network.predict(x), hidden @ p["W3"] + p["b3"], rtol=1e-13, atol=1e-14)
    assert not np.array_equal(network.predict(x, train=True), network.predict(x, train=True))
    assert np.array_equal(network.predict(x), network.predict(x))


def test_only_the_gradient_is_in_training_mode():
    network, plain, (x, y) = small(dropout=0.5, activation="tanh"), small(activation="tanh"), batch()
    for i in (2, 3):
        plain.params[f"W{i}"] *= 0.5  # the book's scale of the test
    assert network.loss(x, y) == pytest.approx(plain.loss(x, y), rel=1e-13)
    assert network.loss_and_accuracy(x, y) == (network.loss(x, y), plain.accuracy(x, y))
    assert network.loss(x, y, train=True) != network.loss(x, y)


def test_dropout_does_not_change_the_initial_weights():
    plain, dropping = small(seed=3), small(seed=3, dropout=0.5)
    for name, array in plain.params.items():
        assert np.array_equal(array, dropping.params[name])


def test_the_recorded_network():
    case = RECORDED["mlp_relu_weight_decay"]
    network = nn.Network((12, 16, 8, 5), dtype=np.float64)
    for name, values in case["params"].items():
        network.params[name][...] = values
    loss, grads = network.loss_and_gradient(case["x"], case["labels"])
    decay = case["weight_decay"]
    weights = {name: array for name, array in network.params.items() if name.startswith("W")}
    loss += 0.5 * decay * sum(float(np.sum(w**2)) for w in weights.values())
    assert loss == pytest.approx(case["loss"], rel=1e-13)
    for name, grad in grads.items():
        total = grad + decay * weights[name] if name in weights else grad
        assert np.abs(total - case["grads"][name]).max() < 1e-13, name


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("activation", nn.ACTIVATIONS)
def test_everything_has_the_networks_dtype(dtype, activation):
    network = nn.Network((5, 7, 4), activation=activation, dropout=0.1, dtype=dtype)
    x, y = batch()
    for data in (x, x.astype(np.float32), np.asfortranarray(x)[:, ::-1], x.tolist(), (10 * x).astype(np.int8)):
        assert network.predict(data).dtype == dtype
        grads = network.gradient(data, y)
        for name, array in network.params.items():
            assert (array.dtype, grads[name].dtype, grads[name].shape) == (dtype, dtype, array.shape)
            assert grads[name].flags.c_contiguous


def test_float32_follows_float64():
    x, y = batch(n=50)
    single, double = small(dtype=np.float32), small()
    for name, array in double.params.items():
        array[...] = single.params[name]
    grads, exact = single.gradient(x, y), double.gradient(x.astype(np.float32), y)
    for name, grad in grads.items():  # sums of at most 50 terms, three layers: some hundred roundings of 6e-8
        assert np.abs(grad - exact[name]).max() < 1e-5 * np.abs(exact[name]).max(), name


def test_loss_and_gradient_is_the_loss_and_the_gradient():
    network, (x, y) = small(), batch()
    loss, grads = network.loss_and_gradient(x, y)
    assert loss == network.loss(x, y)
    again = network.gradient(x, y)
    for name, grad in grads.items():
        assert np.array_equal(grad, again[name])
        assert not np.shares_memory(grad, again[name])
        assert not np.shares_memory(grad, network.params[name])


def test_accuracy_counts_the_rows_whose_class_has_the_highest_score():
    network = nn.Network((3, 3), dtype=np.float64)
    network.params["W1"][...] = np.eye(3)
    x, y = np.array([[3.0, 1, 2], [1, 3, 2], [1, 2, 3], [2, 1, 3]]), np.array([0, 1, 2, 0])
    assert network.accuracy(x, y) == 0.75
    assert network.accuracy(x, np.eye(3)[y]) == 0.75
    assert network.loss_and_accuracy(x, y) == (network.loss(x, y), 0.75)


def test_updates_in_place_take_effect():
    network, (x, y) = small(), batch()
    arrays = dict(network.params)
    before = network.loss(x, y)
    for name, grad in network.gradient(x, y).items():
        network.params[name] -= 0.1 * grad
    assert all(network.params[name] is array for name, array in arrays.items())
    assert network.loss(x, y) < before


def test_arrays_put_in_place_of_others_take_effect_in_every_pass():
    network, other, (x, y) = small(seed=1), small(seed=2), batch()
    network.predict(x)
    network.params.update({name: array.copy() for name, array in other.params.items()})
    assert np.array_equal(network.predict(x), other.predict(x))
    grads, expected = network.gradient(x, y), other.gradient(x, y)
    assert all(np.array_equal(grads[name], expected[name]) for name in grads)


@pytest.mark.parametrize(
    "array, found",
    [
        (np.zeros((5, 6)), r"float64 of the shape \(5, 6\)"),
        (np.zeros((5, 7), np.float32), "float32"),
        ([[0.0] * 7] * 5, r"\[\[0"),
        (None, "None"),
    ],
)
def test_a_parameter_of_another_kind_is_refused_by_name(array, found):
    network, (x, _) = small(), batch()
    network.params["W1"] = array
    with pytest.raises(ValueError, match=rf"params\['W1'\] is {found}.*a float64 array of the shape \(5, 7\)"):
        network.predict(x)


def test_the_seed_decides_the_start_and_numpys_global_state_does_not():
    np.random.seed(0)  # noqa: NPY002 - the state that must not matter
    first = small(seed=5)
    np.random.seed(1)  # noqa: NPY002
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    second, third = small(seed=5), small(seed=6)
    x, y = batch()
    small(dropout=0.5).gradient(x, y)
    assert np.array_equal(np.random.get_state()[1], state)  # noqa: NPY002
    assert all(np.array_equal(first.params[name], second.params[name]) for name in first.params)
    assert not np.array_equal(first.params["W1"], third.params["W1"])


@pytest.mark.parametrize("init, std", [("normal", 0.01), ("xavier", 0.1), ("glorot", 0.1), ("he", math.sqrt(0.02))])
def test_the_initial_weights_are_those_named_and_the_biases_0(init, std):
    network = nn.Network((100, 100, 10), init=init)
    assert abs(network.params["W1"].std() - std) < 6 * std / math.sqrt(2 * 10_000)
    assert not network.params["b1"].any()
    assert not network.params["b2"].any()


def test_the_defaults():
    network = nn.Network((5, 7, 4))
    spelt_out = nn.Network((5, 7, 4), activation="relu", init="he", dropout=0.0, seed=0, dtype=np.float32)
    x, _ = batch()
    assert network.sizes == (5, 7, 4)
    assert network.dtype == np.float32
    assert np.array_equal(network.predict(x, train=True), spelt_out.predict(x))
    assert all(np.array_equal(array, spelt_out.params[name]) for name, array in network.params.items())


def test_initial_weights_by_a_function():
    network = nn.Network((3, 2), init=nn.init.normal(0.0))
    assert not network.params["W1"].any()


@pytest.mark.parametrize("scale", [1e10, 1e25, 1e38])
@pytest.mark.parametrize("activation", nn.ACTIVATIONS)
def test_a_diverged_network_gives_numbers_and_no_warning(scale, activation):
    network = nn.Network((5, 7, 6, 4), activation=activation)
    for name in network.params:
        network.params[name] += scale
        network.params[name][..., ::2] *= -1
    x, y = batch()
    loss, grads = network.loss_and_gradient(x, y)
    assert isinstance(loss, float)
    assert grads.keys() == network.params.keys()
    network.loss_and_accuracy(x, y)


def test_the_loss_of_overflowing_relu_units_is_not_finite():
    network = nn.Network((5, 7, 6, 4))
    for name in network.params:
        network.params[name] += 1e25
    x, y = batch()
    assert not math.isfinite(network.loss(np.abs(x), y))


@pytest.mark.parametrize(
    "options, error, message",
    [
        ({"activation": "swish"}, ValueError, "activation is 'swish'; it can be 'relu', 'sigmoid', 'tanh'"),
        ({"init": "Xavier"}, ValueError, "init is 'Xavier'; it can be 'normal', 'xavier', 'glorot', 'he'"),
        ({"sizes": (5,)}, ValueError, "at least two integers >= 1"),
        ({"sizes": (5, 0, 2)}, ValueError, "at least two integers >= 1"),
        ({"sizes": (5, 2.5)}, ValueError, "at least two integers >= 1"),
        ({"sizes": (5, True)}, ValueError, "at least two integers >= 1"),
        ({"seed": -1}, ValueError, "seed is -1; give an integer >= 0"),
        ({"seed": 1.5}, ValueError, "seed is 1.5"),
        ({"seed": None}, ValueError, "seed is None"),
        ({"dropout": 1.0}, ValueError, "0 <= ratio < 1"),
        ({"dtype": np.float16}, TypeError, "dtype is float16; a network is float32 or float64"),
        ({"dtype": np.int64}, TypeError, "dtype is int64"),
    ],
)
def test_other_arguments_are_refused(options, error, message):
    options = {"sizes": (5, 7, 4), **options}
    with pytest.raises(error, match=message):
        nn.Network(**options)


@pytest.mark.parametrize(
    "x, error, message",
    [
        (np.zeros((2, 6)), ValueError, r"x has the shape \(2, 6\); give \(n, 5\)"),
        (np.zeros(5), ValueError, r"one sample as a batch: x\[None, :\]"),
        (np.zeros((2, 5), complex), TypeError, "x is complex128"),
        ([["a"] * 5], TypeError, "x is <U1"),
    ],
)
def test_other_batches_are_refused(x, error, message):
    with pytest.raises(error, match=message):
        small().predict(x)


def test_labels_are_looked_at_by_loss_gradient_and_accuracy():
    network, (x, y) = small(), batch()
    for method in (network.loss, network.gradient, network.accuracy):
        with pytest.raises(ValueError, match="legal are 0 to 3"):
            method(x, y + 4)
