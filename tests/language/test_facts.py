"""Facts that are read off a text."""

from __future__ import annotations

import pytest

import thalweg as tw
from tests.extra_rules import adafactor, novograd, prodigy
from tests.language.texts import make

SLOTS = "w, g, m, *, t, lr=0.1, beta=0.9"


@pytest.mark.parametrize(
    "body, exact",
    [
        ("w = w - lr * sqrt(abs(g)) / maximum(g, w) * sign(g)", True),
        ("w = where(g > 0, w, clip(g, 0, 1)) - lr * g**2 + g**0.5 - g**-1", True),
        ("w = w - lr * sum(g) * rms(w) * g", True),
        ("w = w - exp(-lr) * lr**1.5 * g", True),  # of numbers: Python evaluates them
        ("w = w - lr * exp(g)", False),
        ("w = w - lr * g**3", False),
        ("w = w - lr * 2**g", False),
        ("w = w - g**lr", False),
        ("w = w - lr * norm(tanh(g)) * g", False),
        ("w = w - lr * (g @ g.T @ g)", False),
        ("w = w - lr * g.T", False),
        ("q, r = qr(g)\nw = w - lr * q * r", False),
    ],
)
def test_exact(body, exact):
    assert make(body).facts.exact is exact


def test_shapes_of_rules():
    def facts(body, args="w, g, *, lr=0.1", **declared):
        found = make(body, args, **declared).facts
        return [name for name in ("elementwise", "matrix", "axes", "needs_value", "coupled") if getattr(found, name)]

    assert facts("w = w - lr * g") == ["elementwise"]
    assert facts("w = w - lr * g * value", "w, g, *, value, lr=0.1") == ["elementwise", "needs_value"]
    assert facts("w = w - lr * norm(g) * g") == []
    assert facts("w = w - lr * mean(g, axis=-1)") == ["axes"]
    assert facts("r = r + lr\nw = w - r * g\nreturn w, r", "w, g, r, *, lr=0.1", state={"r": tw.rows()}) == ["axes"]
    column = "c = c + lr\nw = w - c * g\nreturn w, c"
    assert facts(column, "w, g, c, *, lr=0.1", state={"c": tw.columns()}) == ["axes"]
    assert facts("w = w - lr * (g @ g)") == ["matrix"]
    assert facts("w = w - lr * total(1) * g") == ["coupled"]
    number = "n = n + lr\nw = w - n * g\nreturn w, n"
    assert facts(number, "w, g, n, *, lr=0.1", state={"n": tw.number()}) == ["elementwise"]
    assert facts(number, "w, g, n, *, lr=0.1", state={"n": tw.shared()}) == ["elementwise", "coupled"]


@pytest.mark.parametrize(
    "body, sign",
    [
        ("w = w - lr * g", -1),
        ("w = w + lr * g", 1),
        ("w = w - (lr * g + w)", -1),
        ("w = w * (1 - lr)\nw = w - g", -1),
        ("w = w - g\nw = w * (1 - lr)", 0),
        ("w = w - lr * g - g", 0),
        ("w = -lr * g + w", 0),
        ("w, x = w - lr * g, g", 0),
        ("x = w - lr * g\nw = x", 0),
        ("if lr > 1:\n    w = w - g\nelse:\n    w = w", 0),
        ("w = w - g if lr > 1 else w", 0),
    ],
)
def test_step_sign(body, sign):
    assert make(body).facts.step_sign == sign


def test_model_numbers():
    body = """
scale = a * b
length = total(norm(g) * d)
if c > 0:
    far = maximum(far, scale * length)
else:
    far = far
e = e * 1
w = w - far * e * g
return w, far"""
    args = "w, g, far, *, t, a=1.0, b=1.0, c=1.0, d=1.0, e=1.0, f=1.0"
    rule = make(body.strip(), args, state={"far": tw.shared("f")})
    assert rule.facts.model_numbers == ("a", "b", "c", "f")
    assert make("w = w - lr * g").facts.model_numbers == ()


CLASSIC = ("sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam")
INEXACT = {  # what stands in their texts: power, cbrt, exp, atan2
    "madgrad[authors]", "madgrad[optax]", "ftrl[keras]", "padam[paper]", "padam[authors]", "diffgrad[paper]",
    "diffgrad[authors]", "adamatan2[paper]",
}  # fmt: skip


def test_of_the_classic_six():
    for family in (tw.RULES[name] for name in CLASSIC):
        for rule in family.conventions.values():
            facts = rule.facts
            assert (facts.exact, facts.elementwise) == (True, True)
            assert (facts.matrix, facts.axes, facts.needs_value, facts.coupled) == (False,) * 4
            velocity = rule.name in ("momentum", "nesterov") and rule.convention_name in (
                "paper",
                "book",
                "keras",
                "pennylane",
            )
            is_of_two_terms = rule.name == "nesterov" and rule.convention_name == "book"
            assert facts.step_sign == (1 if velocity else -1) or is_of_two_terms
            assert facts.floats_per_element == len(rule.slots)


def test_of_all_others():
    forms = {f"{f.name}[{c}]": f for family in tw.RULES.values() for c, f in family.conventions.items()}
    assert {name for name, f in forms.items() if not f.facts.exact and not f.facts.matrix} == INEXACT
    assert {f.name for f in forms.values() if f.facts.matrix} == {"muon", "shampoo", "soap"}
    assert {f.name for f in forms.values() if f.facts.axes and not f.facts.matrix} == {"adafactor", "sm3"}
    assert {f.name for f in forms.values() if f.facts.needs_value} == {"polyaksgd"}
    assert {f.name for f in forms.values() if f.facts.takes_hessian} == {"sophia"}
    coupled = {"dadaptsgd", "dadaptadam", "prodigy", "dog", "dowg", "polyaksgd"}
    assert {f.name for f in forms.values() if f.facts.coupled} == coupled
    # FTRL's parameter does not come from the old one, and the book's Nesterov is a sum of three
    assert {name for name, f in forms.items() if not f.facts.step_sign} == {
        "nesterov[book]", "ftrl[keras]", "ftrl[paper]",
    }  # fmt: skip


def test_of_the_three_that_tests_wrote_first():
    assert [r.facts.exact for r in (novograd, prodigy, adafactor)] == [True] * 3
    assert [r.facts.elementwise for r in (novograd, prodigy, adafactor)] == [False] * 3
    assert [r.facts.axes for r in (novograd, prodigy, adafactor)] == [False, False, True]
    assert [r.facts.coupled for r in (novograd, prodigy, adafactor)] == [False, True, False]
    assert [r.facts.floats_per_element for r in (novograd, prodigy, adafactor)] == [1, 4, 0]
    assert prodigy.facts.model_numbers == ("lr", "beta1", "beta2", "d0")
