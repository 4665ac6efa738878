"""`contains=` and other kinship: with which numbers, or at which point, the step of a rule is that of another."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import thalweg as tw
from tests.rules.drawn import EXAMPLES, FORMS, largest, numbers, path, worlds

CONTAINED = [
    pytest.param(form, other, fixed, id=f"{name} {other}")
    for name, form in FORMS.items()
    for other, fixed in form.contains.items()
]


@pytest.mark.parametrize("form, other, fixed", CONTAINED)
@EXAMPLES
@given(data=st.data())
def test_a_rule_is_another_one_with_some_numbers(form, other, fixed, data):
    """Up to rounding, since texts may differ in the order of operations."""
    world, contained = data.draw(worlds(zero_gradients=False)), FORMS[other]
    options = data.draw(numbers(form, every=True)) | fixed
    theirs = {name: options.get(name, default) for name, default in contained.defaults.items()}
    one, two = path(form, world, options), path(contained, world, theirs)
    for a, b in zip(one, two, strict=True):
        for name in a:
            np.testing.assert_allclose(a[name], b[name], rtol=1e-11, atol=1e-13 * max(1.0, largest(one)))


def test_what_contains_what():
    """The identities that everybody knows are declared, and are looked at above."""
    found = {name: set(form.contains) for name, form in FORMS.items() if form.contains}
    assert "adam[torch]" in found["adamw[torch]"]
    assert "adam[paper]" in found["qhadam[paper]"]
    assert "sgd[paper]" in found["momentum[paper]"]
    assert "sgd[torch]" in found["momentum[torch]"]
    assert all(other in FORMS for others in found.values() for other in others)
    assert len(CONTAINED) >= 20


BUT = {"adam": "mlx", "adamw": "mlx", "adamax": "mlx", "amsgrad": "paper", "yogi": "paper"}
"""Forms that do not correct the average of the first gradient."""
KIN = [
    "adagrad", "adam", "signsgd", "signum", "lion", "tiger", "adamw", "adamax", "amsgrad", "yogi", "qhadam", "laprop",
    "ademamix", "adan", "grams", "stableadamw", "mars", "schedulefreeadamw",
]  # fmt: skip
FIRST_STEPS = [
    f"{rule}[{convention}]" for rule in KIN for convention in tw.RULES[rule].conventions if convention != BUT.get(rule)
]


def at_the_limit(form):
    """The numbers at which eps has gone to zero, and nothing but the gradient is in the step."""
    zero = ("weight_decay", "eps_root", "initial_accumulator", "alpha")
    return {
        name: 0.0 if name in zero else 1e-30 for name in form.defaults if name in zero or name.startswith("eps")
    }  # fmt: skip


@pytest.mark.parametrize("name", FIRST_STEPS)
@EXAMPLES
@given(data=st.data())
def test_the_first_step_of_adam_and_its_kin_is_lr_times_the_sign(name, data):
    """As eps goes to zero; the corrections of both moments cancel theirs."""
    form = FORMS[name]
    world = data.draw(worlds(steps=st.just(1)))
    options = data.draw(numbers(form)) | at_the_limit(form)
    start, first = path(form, world, options)
    for key, g in world["g"][0].items():
        expected = -options["lr"] * np.sign(g)
        np.testing.assert_allclose(first[key] - start[key], expected, rtol=1e-9, atol=1e-15)


def test_no_other_first_step_is_lr_times_the_sign():
    """Of those that are, for one gradient and one set of numbers, five are so by limits that are not reached."""
    fractions = {
        "beta1": 0.37,
        "beta2": 0.61,
        "beta3": 0.7,
        "momentum": 0.37,
        "nu1": 0.3,
        "nu2": 0.4,
        "decay_rate": 0.3,
    }
    world = {
        "w": {"W": np.array([[0.3, -2.0, 1.0], [0.5, 0.7, -0.1]])},
        "g": [{"W": np.array([[0.3, -2.0, 1.0], [-1.5, 0.07, 10.0]])}],
        "values": [2.0],
        "hessians": [{"W": np.full((2, 3), 1e-3)}],
    }
    found = set()
    for name, form in FORMS.items():
        options = {x: fractions[x] for x in fractions if x in form.defaults} | at_the_limit(form)
        start, first = path(form, world, {"lr": 0.37, **options} if "lr" in form.defaults else options)
        if np.allclose(first["W"] - start["W"], -0.37 * np.sign(world["g"][0]["W"]), rtol=1e-9):
            found.add(name)
    limits = {"adabound[authors]", "sophia[paper]", "sophia[optax]", "ftrl[keras]", "rprop[torch]"}
    assert found == set(FIRST_STEPS) | limits


LAMBS = [("lamb[paper]", "adamw[optax]"), ("lamb[optax]", "adamw[optax]"), ("lamb[keras]", "adamw[torch]")]


@pytest.mark.parametrize("lamb, adamw", LAMBS)
@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 2**32), t=st.integers(1, 99), lr=st.floats(1e-4, 0.9), decay=st.floats(0.01, 0.9),
    betas=st.tuples(st.floats(0.0, 0.99), st.floats(0.0, 0.99)), eps=st.floats(0.0, 1.0),
)  # fmt: skip
def test_lamb_is_adamw_where_the_ratio_of_norms_is_one(lamb, adamw, seed, t, lr, decay, betas, eps):
    """You et al. 2019, Algorithm 2, with phi(|w|) = |u|: for a parameter as long as its step with its decay.

    With r for Adam's step, u = r + decay w, and w = s a for some direction a, that is a quadratic equation in s. Keras
    decays w first, so that the lengths are those of (1 - lr decay) w and r.
    """
    rng = np.random.default_rng(seed)
    one, other = FORMS[lamb].function, FORMS[adamw].function
    g, m, a = rng.standard_normal((3, 5, 4))
    v = rng.uniform(0.5, 2.0, g.shape)
    more = dict(t=t, lr=lr, beta1=betas[0], beta2=betas[1], eps=eps, weight_decay=decay)
    r = -other(0 * a, g, m, v, **more)[0] / lr
    if lamb == "lamb[keras]":
        s = np.linalg.norm(r) / np.linalg.norm(a) / (1 - lr * decay)
    else:
        aa, ar, rr = np.sum(a * a), decay * np.sum(a * r), np.sum(r * r)
        s = (ar + np.sqrt(ar**2 + (1 - decay**2) * aa * rr)) / ((1 - decay**2) * aa)
    for w in (s * a, 0 * a):  # where a norm is zero the ratio is one as well
        for ours, theirs in zip(one(w, g, m, v, **more), other(w, g, m, v, **more), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12 * (1 + np.abs(w).max()))
    # and elsewhere the step is AdamW's times the ratio
    w = 2.5 * s * a
    decayed = w * (1 - lr * decay) if lamb == "lamb[keras]" else w
    step = other(w, g, m, v, **more)[0] - decayed
    ratio = np.linalg.norm(decayed) / np.linalg.norm(step) * lr
    ours = one(w, g, m, v, **more)[0]
    np.testing.assert_allclose(ours, decayed + ratio * step, rtol=1e-9, atol=1e-12 * (1 + np.abs(w).max()))
    assert np.abs(ours - decayed - step).max() > 1e-6 * np.abs(step).max()
