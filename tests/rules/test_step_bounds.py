"""`bound=`: what no element of a step exceeds, whatever the gradients and for all legal numbers."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.rules.drawn import EXAMPLES, FORMS, largest, numbers, of, path, worlds

BOUNDED = of(lambda form: form.declared.bound is not None)
FACTORS = st.one_of(st.just(0.0), st.floats(0.0, 0.999), st.floats(1e-3, 1e-2))


@st.composite
def any_factors(draw, form):
    """Hyper-parameters with factors of averages from zero on, and eps at zero or at its default."""
    found = draw(numbers(form, zeros=[x for x in form.defaults if x.startswith("weight_decay")]))
    for name in found:
        if name.startswith("beta") or name in ("momentum", "decay_rate"):
            found[name] = draw(FACTORS)
        elif name == "eps" and 0.0 in form.ranges[name]:
            found[name] = draw(st.sampled_from([0.0, form.defaults[name]]))
    return found


def assert_within_bounds(form, found, options):
    """A step is a difference of two positions, each of which was rounded."""
    for t in range(1, len(found)):
        bound = form.step_bound(t, **options)
        for name in found[t] if bound < math.inf else ():
            w, old = found[t][name], found[t - 1][name]
            assert (np.abs(w - old) <= bound * (1 + 1e-9) + 4e-16 * np.maximum(np.abs(w), np.abs(old))).all()


@pytest.mark.parametrize("form", BOUNDED)
@EXAMPLES
@given(data=st.data())
def test_no_element_of_a_step_is_larger_than_its_bound(form, data):
    """Gradients have any size whose square is a float that is not zero."""
    wild = worlds(zero_gradients=False, steps=st.integers(2, 40), spread=st.floats(0, 4) | st.floats(60, 80))
    world, options = data.draw(wild), data.draw(any_factors(form))
    assert_within_bounds(form, path(form, world, options), options)
    assert form.step_bound(1, **options) < math.inf


@pytest.mark.parametrize("form", BOUNDED)
@EXAMPLES
@given(data=st.data())
def test_no_element_of_a_step_is_larger_than_its_bound_where_gradients_are_zero(form, data):
    world = data.draw(worlds())
    options = data.draw(numbers(form, zeros=[x for x in form.defaults if x.startswith("weight_decay")]))
    found = path(form, world, options)
    assert np.isfinite(largest(found))
    assert_within_bounds(form, found, options)


SMALL = [(0.9, 0.0), (0.0, 0.0), (0.9, 1e-3), (0.9, 1e-9), (0.0, 1e-9), (0.5, 0.25)]
SHRINKING = [[1e80, 1e-80], [3e8, 1.0, 3.0, 1e-3], [1.0] * 9, [2.0**-k for k in range(30)]]


@pytest.mark.parametrize("form", BOUNDED)
def test_a_gradient_that_is_all_but_nothing_after_a_large_one(form):
    """At beta2 = 0 the second step of Adam is as large as one gradient is in units of the other: nothing bounds it."""
    for (beta1, beta2), sizes in product(SMALL, SHRINKING):
        given_ = {
            "beta1": beta1,
            "beta2": beta2,
            "momentum": beta1,
            "decay_rate": beta2,
            "eps": 0.0,
            "weight_decay": 0.0,
        }
        options = {name: x for name, x in given_.items() if name in form.defaults and x in form.ranges[name]}
        world = {
            "w": {"W": np.zeros((2, 2))},
            "g": [{"W": np.array([[x, -x], [x, 1.0]])} for x in sizes],
            "hessians": [{"W": np.ones((2, 2))}] * len(sizes),
        }
        assert_within_bounds(form, path(form, world, options), options)


@pytest.mark.parametrize("beta1, beta2", [(0.9, 0.999), (0.9, 0.81), (0.9, 0.5), (0.0, 0.7), (0.3, 0.01)])
@pytest.mark.parametrize("name, power", [("adam[paper]", 1), ("adam[book]", 1), ("adamax[paper]", None)])
def test_some_gradients_make_a_step_as_large_as_its_bound(name, power, beta1, beta2):
    """Those at which the inequality that it comes from is an equality: (beta1 / beta2)**k; for AdaMax, beta2**-k."""
    form, steps = FORMS[name], 12
    options = {"beta1": beta1, "beta2": beta2} | ({} if power is None else {"eps": 0.0})
    sizes = [(beta1 / beta2) ** k if power else beta2**-k for k in reversed(range(steps))]
    sizes = [x if x > 0 else 1e-100 for x in sizes]
    world = {"w": {"W": np.zeros((1, 1))}, "g": [{"W": np.array([[x]])} for x in sizes]}
    found = path(form, world, options)
    step = abs(float((found[-1]["W"] - found[-2]["W"])[0, 0]))
    assert step == pytest.approx(form.step_bound(steps, **options), rel=1e-9)


@pytest.mark.parametrize("form", BOUNDED)
@settings(max_examples=30, deadline=None, derandomize=True)
@given(data=st.data(), t=st.integers(1, 10**6))
def test_a_bound_is_a_number_for_all_legal_numbers(form, data, t):
    """Also at both ends of their ranges, where powers overflow."""
    ends = st.sampled_from([0.0, 5e-324, 1e-3, 0.5, math.nextafter(1.0, 0.0)])
    options = {}
    for name, interval in form.ranges.items():
        if name in form.defaults:
            x = data.draw(ends if 0.5 in interval and 1.5 not in interval else st.floats(0.0, 1e300))
            options |= {name: x} if x in interval else {}
    assert form.step_bound(t, **options) >= 0.0


@pytest.mark.parametrize("name", ["adam", "adamax", "grams", "amsgrad", "adamw"])
def test_there_is_no_bound_where_the_root_forgets_what_momentum_remembers(name):
    form = FORMS[f"{name}[{'keras' if name == 'amsgrad' else 'torch' if name == 'adamw' else 'paper'}]"]
    assert form.step_bound(3, beta2=0.0) == math.inf
    assert form.step_bound(1, beta2=0.0) == form.defaults["lr"]
    assert form.step_bound(10_000, beta1=0.9, beta2=0.5) == math.inf
    assert form.step_bound(40, beta1=0.9, beta2=0.5) < math.inf
    assert form.step_bound(10_000, lr=0.0, beta2=0.0) == 0.0
    near = [form.step_bound(50, beta1=0.9, beta2=x) for x in np.nextafter(0.81, [0.0, 1.0])]
    assert near[0] == pytest.approx(near[1], rel=1e-9)
