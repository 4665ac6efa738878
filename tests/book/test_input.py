"""What scripts give to `update`: other keys, other shapes, other types, and numbers that run away."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
import pytest

from tests.book import by_hand
from tests.book.by_hand import bits
from thalweg import book

NAMES = ["SGD", "Momentum", "Nesterov", "AdaGrad", "RMSprop", "Adam"]


def start():
    rng = np.random.default_rng(2)
    return {"W1": rng.normal(size=(3, 2)), "b1": rng.normal(size=2)}


def both_end_alike(name, gradients, steps=4, params=start):
    """Whether some steps end in the same bits; gradients: a function of params."""
    ends = []
    for module in (book, by_hand):
        optimizer, now = getattr(module, name)(lr=0.1), params()
        for _ in range(steps):
            optimizer.update(now, gradients(now))
        ends.append(bits(now))
    assert ends[0] != bits(params())
    return ends[0] == ends[1]


@pytest.mark.parametrize("name", NAMES)
def test_gradients_in_another_order_and_of_no_parameter(name):
    assert both_end_alike(name, lambda p: {"W9": np.ones(4), "b1": np.sin(p["b1"]), "loss": 3.5, "W1": np.sin(p["W1"])})


@pytest.mark.parametrize("kind", [OrderedDict, dict])
@pytest.mark.parametrize("name", NAMES)
def test_dicts_of_every_kind(name, kind):
    assert both_end_alike(name, lambda p: kind((n, np.sin(w)) for n, w in p.items()), params=lambda: kind(start()))


@pytest.mark.parametrize(
    "gradient",
    [1.5, 2, np.float64(0.5), np.array(0.5), np.array([0.25, -1]), np.array([[1.0, 2.0]]), np.array([[1], [2], [3]])],
    ids=str,
)
@pytest.mark.parametrize("name", NAMES)
def test_a_gradient_is_broadcast(name, gradient):
    assert both_end_alike(name, lambda p: {"W1": gradient, "b1": np.sin(p["b1"])})


@pytest.mark.parametrize("dtype", [np.int64, np.uint8, np.int32])
@pytest.mark.parametrize("name", NAMES)
def test_gradients_of_whole_numbers(name, dtype):
    assert both_end_alike(
        name, lambda p: {"W1": np.arange(6, dtype=dtype).reshape(3, 2), "b1": np.array([0, 3], dtype)}
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_bias_of_one_row(name):
    def params():
        return {"b": np.ones((1, 4))}

    assert both_end_alike(name, lambda p: {"b": np.sin(p["b"]).sum(axis=0)}, params=params)


@pytest.mark.parametrize("name", NAMES)
def test_gradients_are_not_written_to(name):
    params, grads = start(), {name: np.sin(w) for name, w in start().items()}
    before = bits(grads)
    for _ in range(3):
        getattr(book, name)().update(params, grads)
    assert bits(grads) == before


@pytest.mark.parametrize("name", ["SGD", "Momentum", "AdaGrad", "RMSprop", "Adam"])
def test_the_gradient_is_the_parameter_itself(name):
    """That of w**2 / 2. By hand, Nesterov's second line would read what the first has written."""
    assert both_end_alike(name, dict)


@pytest.mark.parametrize("name", NAMES)
def test_lists_that_are_made_anew_at_every_step(name):
    """As the second volume's scripts hand over a model's arrays, after taking out those that layers share."""
    ends = []
    for module in (book, by_hand):
        optimizer, now = getattr(module, name)(lr=0.1), start()
        for _ in range(4):
            arrays, grads = list(now.values()), [np.sin(w) for w in now.values()]
            if module is by_hand:
                optimizer.update(dict(enumerate(arrays)), dict(enumerate(grads)))
            else:
                optimizer.update([*arrays], [*grads, np.ones(5)])
        ends.append(bits(now))
    assert ends[0] == ends[1]
    assert ends[0] != bits(start())


def test_a_gradient_that_is_missing_is_named():
    params = start()
    with pytest.raises(ValueError, match="no gradient for 'b1'"):
        book.SGD().update(params, {"W1": np.ones((3, 2))})
    assert bits(params) == bits(start())


@pytest.mark.parametrize(
    "gradient, message",
    [
        (np.ones((2, 3)), r"'W1' has shape \(2, 3\), the parameter \(3, 2\)"),
        (np.ones((1, 3, 2)), r"'W1' has shape \(1, 3, 2\), the parameter \(3, 2\)"),
        ("much", "'W1' is a str"),
        (1j * np.ones((3, 2)), "complex"),
    ],
)
def test_a_gradient_that_cannot_be_is_refused_with_nothing_changed(gradient, message):
    params, optimizer = start(), book.Momentum()
    with pytest.raises((TypeError, ValueError), match=message):
        optimizer.update(params, {"W1": gradient, "b1": np.ones(2)})
    assert bits(params) == bits(start())
    assert optimizer.v is None


@pytest.mark.parametrize("name", NAMES)
def test_a_run_may_diverge(name):
    """With a rate far too large, to infinity and on; warnings are errors in these tests, and there is none."""
    rate = {"SGD": 30.0, "Momentum": 30.0, "Nesterov": 30.0}.get(name, 1e200)
    ours, theirs = {"W": np.array([1.0, -2.0]), "x": 1.0}, {"W": np.array([1.0, -2.0]), "x": 1.0}
    a, b = getattr(book, name)(lr=rate), getattr(by_hand, name)(lr=rate)
    with np.errstate(all="ignore"):
        for _ in range(300):
            b.update(theirs, {key: w * 3 for key, w in theirs.items()})
            grads = {key: w * 3 for key, w in ours.items()}
            with np.errstate(all="warn"):
                a.update(ours, grads)
    assert not np.isfinite(ours["W"]).any()
    np.testing.assert_array_equal(ours["W"], theirs["W"])
    np.testing.assert_array_equal(ours["x"], theirs["x"])
    assert type(ours["x"]) is float


@pytest.mark.parametrize("name", NAMES)
def test_a_gradient_that_is_no_number_spoils_its_own_element_alone(name):
    ours, theirs = start(), start()
    a, b = getattr(book, name)(), getattr(by_hand, name)()
    for bad in (np.nan, np.inf, 1.0):
        grads = {"W1": np.array([[bad, 1], [2, 3], [4, 5]]), "b1": np.ones(2)}
        a.update(ours, grads)
        with np.errstate(all="ignore"):
            b.update(theirs, grads)
    assert np.isnan(ours["W1"]).sum() == 1
    np.testing.assert_array_equal(ours["W1"], theirs["W1"])


def test_float32_parameters_stay_float32_and_near():
    params, theirs = ({"W": np.ones(4, np.float32)} for _ in range(2))
    a, b = book.Adam(), by_hand.Adam()
    for _ in range(50):
        a.update(params, {"W": np.cos(params["W"])})
        b.update(theirs, {"W": np.cos(theirs["W"])})
    assert params["W"].dtype == np.float32
    # 50 roundings of numbers near 1, on either side
    np.testing.assert_allclose(params["W"], theirs["W"], rtol=100 * 2**-24)
