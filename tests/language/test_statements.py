"""Statements that are in the language, by what they compute: each against the same lines in plain NumPy."""

from __future__ import annotations

import math

import numpy as np
import pytest

import thalweg as tw
from tests.language.texts import make

W, G = np.array([1.5, -2.0, 0.25]), np.array([0.5, 3.0, -1.0])


def compute(rule, *state, **numbers):
    """Return new w, or new w and state, as lists and floats."""
    results = [r.tolist() if isinstance(r, np.ndarray) else r for r in rule.function(W, G, *state, **numbers)]
    return results[0] if len(results) == 1 else results


@pytest.mark.parametrize(
    "body, expected",
    [
        ("w = w - lr * g", lambda w, g, lr: w - lr * g),
        ("a, b = g, w\nw = b - lr * a", lambda w, g, lr: w - lr * g),
        ("g, w = w, g\nw = w - lr * g", lambda w, g, lr: g - lr * w),
        ("g = g + w\nw = w - lr * g", lambda w, g, lr: w - lr * (g + w)),
        ("lr = lr / 2\nw = w - lr * g", lambda w, g, lr: w - lr / 2 * g),
        ("'What it does.'\nw = w - lr * g", lambda w, g, lr: w - lr * g),
        ("w = w - +lr * g", lambda w, g, lr: w - lr * g),
        ("w = w - -lr * -g", lambda w, g, lr: w - lr * g),
        ("w = w - lr * -2**2 * g", lambda w, g, lr: w - lr * -4 * g),
        ("w = w - lr * (-2)**2 * g", lambda w, g, lr: w - lr * 4 * g),
        ("w = w - lr * 2**-1 * g", lambda w, g, lr: w - lr * 0.5 * g),
        ("w = w - lr * 2**3**2 * g", lambda w, g, lr: w - lr * 512 * g),
        ("w = w - lr * (2**3)**2 * g", lambda w, g, lr: w - lr * 64 * g),
        ("w = w - (g - (w - lr))", lambda w, g, lr: w - (g - (w - lr))),
        ("w = w / (g / lr)", lambda w, g, lr: w / (g / lr)),
        ("w = w - 0x10 * lr * 1_000 * g", lambda w, g, lr: w - 16 * lr * 1000 * g),
        ("w = w - lr * (7 // 2) * (7 % 4) * g", lambda w, g, lr: w - lr * 3 * 3 * g),
        ("w = (w\n     - lr\n     * g)", lambda w, g, lr: w - lr * g),
        ("w = w \\\n    - lr * g", lambda w, g, lr: w - lr * g),
        ("w = w - lr * g; w = w - g", lambda w, g, lr: w - lr * g - g),
        ("w = w - lr * g  # a comment\n# another", lambda w, g, lr: w - lr * g),
        ("w = w - (lr if lr < 0.2 else 1) * g", lambda w, g, lr: w - lr * g),
        ("w = w - (1 if 0.2 < lr < 0.5 else lr) * g", lambda w, g, lr: w - lr * g),
        ("w = w - (1 if 0.05 < lr <= 0.1 != 3 else lr) * g", lambda w, g, lr: w - g),
        ("w = w - (1 if not lr else 2 if lr == 1 else lr) * g", lambda w, g, lr: w - lr * g),
        ("w = w - (1 if lr > 1 or lr == 0.1 and lr < 0 else lr) * g", lambda w, g, lr: w - lr * g),
        ("w = w - (1 if (lr > 1 or lr == 0.1) and lr > 0 else lr) * g", lambda w, g, lr: w - g),
        ("c = lr > 0\nw = w - lr * g if c else w", lambda w, g, lr: w - lr * g),
        ("if lr > 0:\n    w = w - lr * g\nelse:\n    w = w", lambda w, g, lr: w - lr * g),
        ("if lr > 1:\n    a = g\nelif lr > 0:\n    a = w\nelse:\n    a = w + g\nw = w - lr * a",
         lambda w, g, lr: w - lr * w),
        ("if lr:\n    a, b = g, w\nelse:\n    b, a = g, w\nw = b - lr * a",
         lambda w, g, lr: w - lr * g),
        ("if lr > 0:\n    x = 2 * g\n    a = x + w\nelse:\n    a = w\n    x = g\nw = w - lr * a * x",
         lambda w, g, lr: w - lr * (2 * g + w) * (2 * g)),
        (("a = g\nif lr > 0:\n    if lr > 1:\n        a = w\n    else:\n        a = a + w\n"
          "else:\n    a = a\nw = w - a * lr"),
         lambda w, g, lr: w - lr * (g + w)),
        ("w = where(g > 0, w - lr * g, w)", lambda w, g, lr: np.where(g > 0, w - lr * g, w)),
        ("w = where(g <= w, w, lr)", lambda w, g, lr: np.where(g <= w, w, lr)),
        ("m = g != w\nw = where(m, w - lr * g, w)", lambda w, g, lr: w - lr * g),
        ("w = where(g > 0, where(w > 0, g, lr), w)",
         lambda w, g, lr: np.where((g > 0) & (w > 0), g, np.where(g > 0, lr, w))),
        ("w = w - lr * sqrt(g**2) / abs(g)**0.5 * g**-1",
         lambda w, g, lr: w - lr * np.sqrt(g * g) / np.sqrt(np.abs(g)) * (1 / g)),
        ("w = w - lr * g**3", lambda w, g, lr: w - lr * np.power(g, 3.0)),
        ("w = w - lr * 2**g", lambda w, g, lr: w - lr * np.power(2.0, g)),
    ],
)  # fmt: skip
def test_accepted(body, expected):
    assert compute(make(body), lr=0.1) == expected(W, G, 0.1).tolist()


def test_literals_are_floats_so_that_numbers_never_overflow_silently_to_other_types():
    rule = make("w = w - lr * 3**400 / 3**399 * g")
    assert compute(rule) == (W - 0.1 * 3.0**400 / 3.0**399 * G).tolist()
    with pytest.raises(tw.NumberError, match="is too large for a float"):
        compute(make("w = w - lr * 3**1000 / 3**999 * g"))
    assert compute(make("w = w - lr * 9007199254740993 * g")) == (W - 0.1 * 9007199254740992.0 * G).tolist()


def test_t_is_an_exact_float():
    rule = make("w = w - lr * (t - t // 3 * 3 + t % 2) / t * g", "w, g, *, t, lr=0.1")
    assert compute(rule, t=8) == (W - 0.1 * (8 - 8 // 3 * 3 + 0) / 8 * G).tolist()


def test_a_branch_on_numbers_is_not_evaluated_unless_it_is_taken():
    """RAdam's root is negative at t = 3."""
    body = """
rho_inf = 2 / (1 - beta2) - 1
rho = rho_inf - 2 * t * beta2**t / (1 - beta2**t)
v = beta2 * v + (1 - beta2) * g**2
root = sqrt((rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho)) if rho > 4 else 0
w = w - lr * root * g / (sqrt(v) + 1e-8) if rho > 4 else w - lr * g
return w, v"""
    radam = make(body.strip(), "w, g, v, *, t, lr=0.1, beta2=0.999")
    assert radam.function(W, G, 0 * W, t=3)[0].tolist() == (W - 0.1 * G).tolist()
    rho_inf = 2 / (1 - 0.999) - 1
    rho = rho_inf - 2 * 9 * 0.999**9 / (1 - 0.999**9)
    root = math.sqrt((rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho))
    v = (1 - 0.999) * G**2
    assert radam.function(W, G, 0 * W, t=9)[0].tolist() == (W - 0.1 * root * G / (np.sqrt(v) + 1e-8)).tolist()


def test_a_ratio_of_norms_is_not_evaluated_where_both_are_zero():
    ratio = make("w = w - lr * (norm(w) / norm(g) if norm(g) > 0 else 1) * g")
    assert ratio.function(W, 0 * G)[0].tolist() == W.tolist()
    bare = make("w = w - lr * (norm(w) / norm(g)) * g")
    with pytest.raises(tw.NumberError, match="division by zero"):
        bare.function(W, 0 * G)


@pytest.mark.parametrize("words", ["and", "or"])
@pytest.mark.parametrize("count", [2, 3, 4])
def test_logic_stops_where_the_answer_is_known(words, count):
    """Every item but the first divides by zero where an earlier one decides."""
    first = "norm(g) > 0" if words == "and" else "norm(g) <= 0"
    items = [first, *["norm(w) / norm(g) > 0" if words == "and" else "norm(w) / norm(g) < 0"] * (count - 1)]
    rule = make(f"w = w - lr * g if {f' {words} '.join(items)} else w - lr")
    taken, other = W - 0.1 * G, W - 0.1
    assert compute(rule) == (taken if words == "and" else other).tolist()
    zero = rule.function(W, 0 * G)[0]
    assert zero.tolist() == (other if words == "and" else W).tolist()


@pytest.mark.parametrize(
    "choice",
    [
        "norm(g * (lr / norm(w))) if norm(w) > 0 else 1",
        "1 if norm(w) == 0 else norm(g * (lr / norm(w)))",
        "2 if norm(w) > 0 and norm(g * (lr / norm(w))) > 0 else 1",
        "2 if norm(g) > 0 and norm(w) > 0 and norm(g * (lr / norm(w))) > 0 else 1",
        "1 if norm(g) < 0 or norm(w) == 0 or norm(g * (lr / norm(w))) > 0 else 2",
        "2 if norm(g) > 0 and (norm(w) > 0 and norm(g * (lr / norm(w))) > 0) else 1",
    ],
)
def test_a_reduction_in_a_branch_is_not_evaluated_unless_it_is_taken(choice):
    rule = make(f"w = w - lr * ({choice}) * g")
    assert rule.function(0 * W, G)[0].tolist() == (0 * W - 0.1 * G).tolist()
    assert np.isfinite(rule.function(W, G)[0]).all()


def test_slots_can_be_exchanged_and_arguments_are_not_changed():
    rule = make("a, b = b, a\nw = w - lr * (a + g)\nreturn w, a, b", "w, g, a, b, *, lr=0.1")
    w, a, b = W.copy(), 2 * W, 3 * W
    new = rule.function(w, G, a, b)
    assert [x.tolist() for x in new] == [(W - 0.1 * (3 * W + G)).tolist(), (3 * W).tolist(), (2 * W).tolist()]
    for x in new:
        x[:] = 7
    assert (w.tolist(), a.tolist(), b.tolist()) == (W.tolist(), (2 * W).tolist(), (3 * W).tolist())


def test_the_old_parameter_can_be_kept():
    rule = make("kept = kept + w\nw = w - lr * g\nreturn w, kept", "w, g, kept, *, lr=0.1")
    old = make(
        "x = kept\nkept = w\nw = w - lr * (g + x)\nreturn w, kept",
        "w, g, kept, *, lr=0.1",
        state={"kept": tw.copy("w")},
    )
    for each in (rule, old):
        opt, params = tw.Optimizer(each), {"w": W.copy()}
        opt.update(params, {"w": G})
        assert opt.state["w"]["kept"].tolist() == W.tolist()
        assert params["w"].tolist() != W.tolist()


def test_a_choice_between_a_number_and_an_array_is_an_array():
    rule = make("m = 1.5 if t == 1 else m + g\nw = w - lr * m\nreturn w, m", "w, g, m, *, t, lr=0.1")
    assert compute(rule, 0 * W, t=1) == [(W - 0.1 * 1.5).tolist(), [1.5, 1.5, 1.5]]
    assert compute(rule, 0 * W, t=2) == [(W - 0.1 * G).tolist(), G.tolist()]
    summed = make("if t == 1:\n    m = 1.5\nelse:\n    m = g\nw = w - lr * sum(m) * g", "w, g, *, t, lr=0.1")
    assert compute(summed, t=1) == (W - 0.1 * 4.5 * G).tolist()
    narrow = make(
        "m = mean(g, axis=-1) if t == 1 else 2\nw = w - lr * (sum(m, axis=-2) + rms(m)) * g", "w, g, *, t, lr=0.1"
    )
    w, g = np.ones((2, 3)), np.arange(6.0).reshape(2, 3)
    assert narrow.function(w, g, t=1)[0].tolist() == (w - 0.1 * (5 + math.sqrt(8.5)) * g).tolist()
    assert narrow.function(w, g, t=2)[0].tolist() == (w - 0.1 * (4 + 2) * g).tolist()


def test_function_says_what_does_not_fit():
    rule = make("m = m + g\nw = w - lr * m\nreturn w, m", "w, g, m, *, lr")
    cases = [
        ((W, G), {"lr": 0.1}, TypeError, "f has the slots (m), and 0 were given"),
        ((W, G, W), {}, TypeError, "f takes the numbers lr; `lr` is missing"),
        ((W, G, W), {"lr": 0.1, "eps": 1}, TypeError, "f takes the numbers lr; `eps` is none of them"),
        (
            (W, G[:2], W),
            {"lr": 0.1},
            ValueError,
            "g is float64 of shape (2,); with this w it has to be float64 of shape (3,)",
        ),
        ((W, G, W.astype("f4")), {"lr": 0.1}, ValueError, "m is float32 of shape (3,)"),
        (
            ([1, 2], [1, 2], [0, 0]),
            {"lr": 0.1},
            TypeError,
            "w is an array of float16, bfloat16, float32 or float64; this is of type int64",
        ),
    ]
    for args, numbers, error, message in cases:
        with pytest.raises(error) as caught:
            rule.function(*args, **numbers)
        assert message in str(caught.value)
    assert compute(rule, W, lr=0.5, t=3) == [(W - 0.5 * (W + G)).tolist(), (W + G).tolist()]
    scalar = make("w = where(g > 0, w - lr * sqrt(w * g), g)").function(np.float32(-2.0), np.float32(1.0))[0]
    assert (scalar.shape, scalar.dtype) == ((), np.float32)
    assert np.isnan(scalar)  # a root of an element, and not of a number, which would be an error
    narrow = make(
        "r = r + mean(g, axis=-1)\nc = c + n + amax(g, axis=-2)\nn = n + lr\nw = w - r * c\nreturn w, r, c, n",
        "w, g, r, c, n, *, lr=0.1",
        state={"r": tw.rows(), "c": tw.columns(), "n": tw.number()},
    )
    w = np.arange(6.0).reshape(2, 3)
    results = narrow.function(w, w, np.zeros((2, 1)), np.zeros((1, 3)), 2)
    assert [np.shape(x) for x in results] == [(2, 3), (2, 1), (1, 3), ()]
    for wrong in ((2, 2), (3, 1)), ((2, 1), (2, 3)):
        with pytest.raises(ValueError, match=r"with this w it has to be float64 of shape \("):
            narrow.function(w, w, np.zeros(wrong[0]), np.zeros(wrong[1]), 2)
    rows = make("w = w - lr * mean(g, axis=-1)")
    with pytest.raises(ValueError, match=r"f has numbers for rows and columns and needs two axes; w has shape \(3,\)"):
        rows.function(W, G)
