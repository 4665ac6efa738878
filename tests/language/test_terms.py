"""Terms: lines shared between rules, inlined where they are called."""

from __future__ import annotations

import math

import numpy as np
import pytest

import thalweg as tw
from tests.language.texts import make, refusal, text_of
from thalweg.words import norm, sqrt

W, G = np.array([1.5, -2.0, 0.25]), np.array([0.5, 3.0, -1.0])


@tw.term
def ema(average, x, beta):
    """The exponential moving average."""
    return beta * average + (1 - beta) * x


@tw.term
def corrected(average, x, beta, t):
    """Several lines, several results, a term inside, and an argument that is assigned anew."""
    average = ema(average, x, beta)
    return average, average / (1 - beta**t)


@tw.term
def scaled(x, length):
    if length > 1:  # noqa: SIM108 - both forms are in the language
        x = x / length
    else:
        x = x  # noqa: PLW0127
    return x


@tw.term
def half():
    return 0.5


def test_a_term_stands_for_its_lines():
    @tw.rule
    def folded(w, g, m, v, *, t, lr=0.1, beta1=0.9, beta2=0.999):
        m, m_hat = corrected(m, g, beta1, t)
        v = ema(v, g**2, beta2)
        w = w - lr * m_hat / sqrt(v / (1 - beta2**t))
        return w, m, v

    @tw.rule
    def unfolded(w, g, m, v, *, t, lr=0.1, beta1=0.9, beta2=0.999):
        m = beta1 * m + (1 - beta1) * g
        m_hat = m / (1 - beta1**t)
        v = beta2 * v + (1 - beta2) * g**2
        w = w - lr * m_hat / sqrt(v / (1 - beta2**t))
        return w, m, v

    results = [rule.function(W, G, G, W * W, t=3) for rule in (folded, unfolded)]
    assert [x.tolist() for x in results[0]] == [x.tolist() for x in results[1]]
    assert folded.digest != unfolded.digest


def test_names_of_a_term_do_not_meet_those_of_the_rule():
    """`average`, `x`, `beta` and `t` mean one thing in the rule and another in the terms."""

    @tw.rule
    def crossed(w, g, x, average, *, beta=0.5, lr=0.1):
        x = ema(x, average, beta)
        average = ema(x, ema(average, g, lr), 1 - beta)
        w = w - lr * ema(average, x, beta) * ema(beta, lr, beta)
        return w, x, average

    def plain(average, x, beta):
        return beta * average + (1 - beta) * x

    x = plain(G, W, 0.5)
    average = plain(x, plain(W, G, 0.1), 1 - 0.5)
    w = W - 0.1 * plain(average, x, 0.5) * plain(0.5, 0.1, 0.5)
    assert [r.tolist() for r in crossed.function(W, G, G, W)] == [r.tolist() for r in (w, x, average)]


def test_an_argument_is_computed_once():
    rule = tw.rule(text_of("w = w - lr * scaled(g, norm(g))"))
    assert [step.word for step in rule.flat.steps if step.word] == ["norm"]
    assert rule.function(W, G)[0].tolist() == (W - 0.1 * (G / norm(G))).tolist()
    assert rule.function(W, 0.1 * G)[0].tolist() == (W - 0.1 * (0.1 * G)).tolist()


def test_terms_of_one_line_stay_unevaluated_in_branches():
    @tw.term
    def root(x, y):
        return sqrt(x - y) / y

    rule = tw.rule(text_of("w = w - lr * (root(t, 3) if t > 3 else half()) * g", "w, g, *, t, lr=0.1"))
    assert rule.function(W, G, t=1)[0].tolist() == (W - 0.1 * 0.5 * G).tolist()
    assert rule.function(W, G, t=7)[0].tolist() == (W - 0.1 * (2 / 3) * G).tolist()
    logic = tw.rule(text_of("w = w - lr * g if t > 3 and root(t, 3) > 0 else w", "w, g, *, t, lr=0.1"))
    assert logic.function(W, G, t=1)[0].tolist() == W.tolist()
    first = tw.rule(text_of("w = w - lr * g if scaled(t, 2) > 1 and t > 3 else w", "w, g, *, t, lr=0.1"))
    assert first.function(W, G, t=4)[0].tolist() == (W - 0.1 * G).tolist()


def test_branches_of_terms_inside_branches_of_rules():
    rule = tw.rule(
        text_of(
            "if t > 3:\n    x = scaled(g, norm(g))\nelif scaled(t, 2) < 1:\n    x = 2 * g\n"
            "else:\n    x = ema(g, scaled(w, t), 0.5)\nw = w - lr * x",
            "w, g, *, t, lr=0.1",
        )
    )
    assert rule.function(W, G, t=4)[0].tolist() == (W - 0.1 * (G / norm(G))).tolist()
    assert rule.function(W, G, t=1)[0].tolist() == (W - 0.1 * (2 * G)).tolist()
    assert rule.function(W, G, t=3)[0].tolist() == (W - 0.1 * (0.5 * G + (1 - 0.5) * (W / 3))).tolist()


def test_several_results():
    rule = tw.rule(text_of("a, b = corrected(w, g, 0.5, t)\nw = w - lr * a * b", "w, g, *, t, lr=0.1"))
    a = 0.5 * W + 0.5 * G
    assert rule.function(W, G, t=2)[0].tolist() == (W - 0.1 * a * (a / 0.75)).tolist()


def test_a_term_of_a_text_and_its_words():
    clipped = tw.term(
        "def clipped(x, most):\n    length = sqrt(total(sum(x**2)))\n    return x * minimum(1, most / length)"
    )
    rule = tw.rule(text_of("w = w - lr * clipped(g, 1.5)"))
    assert rule.facts.coupled
    expected = G * min(1, 1.5 / norm(G))
    assert rule.function(W, G)[0].tolist() == (W - 0.1 * expected).tolist()
    assert clipped(G, 1.5).tolist() == expected.tolist()


def test_evaluated_from_python():
    assert ema(2.0, 4.0, 0.25) == 3.5
    assert type(ema(2, 4, 0.25)) is float
    assert ema(W, G, 0.25).tolist() == (0.25 * W + 0.75 * G).tolist()
    assert ema(W.astype("f4"), G.astype("f4"), 0.25).dtype == np.float32
    assert [x.tolist() for x in corrected(W, G, 0.5, 1)] == [(0.5 * W + 0.5 * G).tolist(), (W + G).tolist()]
    assert scaled(W, 0.5) is not None
    assert scaled(6, 3) == 2.0
    assert half() == 0.5
    assert repr(corrected) == "<term corrected(average, x, beta, t)>"
    powers = tw.term("def powers(x, y):\n    return x**2, x**0.5, x**-1, x**y")
    x = np.abs(G).astype("f4")
    assert [p.tolist() for p in powers(x, 3.0)] == [
        p.tolist() for p in (x * x, np.sqrt(x), np.float32(1) / x, np.power(x, 3.0))
    ]
    assert powers(4.0, 3.0) == (16.0, 2.0, 0.25, 64.0)
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'beta'"):
        ema(1.0, 2.0)


@pytest.mark.parametrize(
    "body, message",
    [
        ("w = w - lr * ema(w, g)", "line 2: `ema` takes (average, x, beta), not 2 arguments"),
        ("w = w - lr * ema(w, g, beta=0.9)", "line 2: `ema`: terms take arguments by position: (average, x, beta)"),
        ("w = w - lr * ema(*w)", "line 2: `ema`: write the arguments out"),
        ("w = w - lr * ema * g", "line 2: `ema` stands alone; write its arguments, as in `ema(x)`"),
        ("w = w - lr * corrected(w, g, 0.5, 1)", "`corrected` gives 2 values; assign them to names"),
        ("w = corrected(w, g, 0.5, lr)", "line 2: the right side gives 2 values for 1 name on the left"),
        ("a, b = ema(w, g, 0.5)\nw = w - lr * a", "line 2: the right side gives 1 value for 2 names on the left"),
        ("w = w - lr * g if lr > 1 else scaled(w, 2)", "`scaled` has several lines and would be left half evaluated"),
        ("w = w - lr * g if lr > 1 and scaled(lr, 2) else w", "inside `if`/`else` where only one case is computed"),
        ("w = w - lr * g if lr > 1 or (scaled(lr, 2) and lr) else w", "inside `if`/`else` where only one case is"),
        ("w = w - lr * (g if lr > 1 else ema(scaled(g, 2), w, lr))", "inside `if`/`else` where only one case is"),
        ("w = w - lr * (g if lr > 1 else 2 if scaled(lr, 2) else 3)", "inside `if`/`else` where only one case is"),
        ("w = w - lr * ema(w > g, g, 0.5)", "line 2: `average` is a mask (an array); to compute with it write `where"),
        ("w = w - lr * g * ema(norm(g), lr, norm(g) // 2)", "line 2: `norm(g) // 2`: `//` works on numbers"),
    ],
)  # fmt: skip
def test_calls_that_are_refused(body, message, monkeypatch):
    for term in (ema, corrected, scaled):
        monkeypatch.setitem(make.__globals__, term.name, term)
    assert message in refusal(body)


@pytest.mark.parametrize(
    "text, message",
    [
        (
            "def f(x, *, beta=0.9):\n    return beta * x",
            "line 1 of its text: a term takes all arguments by position, arrays and",
        ),
        ("def f(x):\n    y = x", "line 2 of its text: the last line returns the term's value"),
        ("def f(x):\n    return foo(x)", "`foo` is not a word of the language"),
        (
            "def norm(x):\n    return x",
            "norm, line 1 of its text: `norm` is a word of the language; call the term something else",
        ),
    ],
)
def test_texts_that_are_refused(text, message):
    with pytest.raises(tw.RuleError) as caught:
        tw.term(text)
    assert message in str(caught.value)


def test_a_term_that_calls_itself_is_refused():
    with pytest.raises(tw.RuleError, match="`forever` is not a word of the language"):

        @tw.term
        def forever(x):
            return forever(x)


def test_two_terms_of_one_name_are_two_terms():
    def made(factor):
        return tw.term(f"def times(x):\n    return x * {factor}")

    one, two = made(2), made(3)  # noqa: F841 - the texts below see both
    rule = tw.rule(text_of("w = w - lr * one(g) - two(g)"))
    other = tw.rule("def f(w, g, *, lr=0.1):\n    w = w - lr * two(g) - one(g)\n    return w")
    assert rule.function(W, G)[0].tolist() == (W - 0.1 * (G * 2) - G * 3).tolist()
    assert rule.digest != other.digest
    assert math.isclose(one(1.0), 2.0)
