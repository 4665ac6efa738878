"""float64 parameters end, bit for bit, where the book's arithmetic ends."""

from __future__ import annotations

import numpy as np
import pytest

import thalweg as tw
from tests.rules.formulas import Book, ByHand
from tests.rules.sequences import copied, depending, start, wide

# the defaults of the book, and numbers that are none
CASES = {
    "sgd": [dict(lr=0.01), dict(lr=0.037)],
    "momentum": [dict(lr=0.01, momentum=0.9), dict(lr=0.023, momentum=0.77)],
    "nesterov": [dict(lr=0.01, momentum=0.9), dict(lr=0.019, momentum=0.83)],
    "adagrad": [dict(lr=0.01), dict(lr=0.31)],
    "rmsprop": [dict(lr=0.01, decay_rate=0.99), dict(lr=0.013, decay_rate=0.87)],
    "adam": [dict(lr=0.001, beta1=0.9, beta2=0.999), dict(lr=0.017, beta1=0.83, beta2=0.973)],
}
ROWS = [pytest.param(name, numbers, id=f"{name}-{i}") for name, rows in CASES.items() for i, numbers in enumerate(rows)]


def steps_apart(name, numbers, gradients, steps):
    """Return the first step after which the book and we differ, with the parameter; None if there is none."""
    ours, books = start(), start()
    opt, book = tw.Optimizer(name, convention="book", **numbers), ByHand(getattr(Book, name), **numbers)
    for t in range(1, steps + 1):
        opt.update(ours, gradients(ours, t))
        book.update(books, gradients(books, t))
        for key, w in ours.items():
            if w.tobytes() != books[key].tobytes():
                return t, key
    return None


@pytest.mark.parametrize("name, numbers", ROWS)
def test_a_thousand_steps_of_gradients_that_depend_on_the_parameters(name, numbers):
    assert steps_apart(name, numbers, depending, 1000) is None


@pytest.mark.parametrize("name, numbers", ROWS)
def test_a_thousand_steps_of_gradients_over_12_decades_with_exact_zeros(name, numbers):
    gradients = wide(1000)
    assert steps_apart(name, numbers, lambda _, t: gradients[t - 1], 1000) is None


@pytest.mark.parametrize("name", ["nesterov", "adagrad", "rmsprop", "adam"])
def test_the_same_rule_in_another_order_of_operations_is_told_apart(name):
    """The comparison sees single bits: torch's form with the book's numbers is close and not equal."""
    eps = {} if name == "nesterov" else {"eps": 1e-7}
    ours, theirs = start(), start()
    opt = tw.Optimizer(name, **CASES[name][1])
    other = tw.Optimizer(name, convention="torch", **CASES[name][1], **eps)
    for t in range(1, 21):
        opt.update(ours, depending(ours, t))
        other.update(theirs, depending(theirs, t))
    assert ours["W1"].tobytes() != theirs["W1"].tobytes()


@pytest.mark.parametrize("name", CASES)
def test_the_classes_do_the_same_with_their_defaults(name):
    params, gradients = start(), wide(20)
    theirs = copied(params)
    opt, book = getattr(tw, tw.RULES[name].title)(), ByHand(getattr(Book, name), **CASES[name][0])
    for grads in gradients:
        opt.update(params, grads)
        book.update(theirs, grads)
    assert {k: w.tobytes() for k, w in params.items()} == {k: w.tobytes() for k, w in theirs.items()}


def test_the_printed_order_of_nesterov_is_another_rule():
    """It updates the velocity first, and so counts the momentum twice; ours must not be that."""
    w, v, numbers = np.array([1.0]), np.zeros(1), dict(lr=0.1, momentum=0.5)
    for g in (1.0, 2.0):
        v = 0.5 * v - 0.1 * g
        w = w + 0.5 * 0.5 * v - 1.5 * 0.1 * g
    ours, opt = {"w": np.array([1.0])}, tw.Nesterov(**numbers)
    for g in (1.0, 2.0):
        opt.update(ours, {"w": np.array([g])})
    # by hand: w1 = 1 - 1.5*0.1 = 0.85, v1 = -0.1; w2 = 0.85 + 0.25*(-0.1) - 1.5*0.1*2 = 0.525
    assert ours["w"] == pytest.approx([0.525], rel=1e-15)
    assert abs(w[0] - 0.525) > 0.05
