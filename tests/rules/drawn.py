"""Drawn worlds for facts of rules: starts, gradients and hyper-parameters, and where the meaning goes with them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st

import thalweg as tw
from tests.language.agreement import without_numba

FORMS = {
    f"{name}[{convention}]": form for name, rule in tw.RULES.items() for convention, form in rule.conventions.items()
}
STEPS = 6
SHAPES = {"W": (3, 2), "V": (2, 2)}  # every rule takes matrices
THREE = SHAPES | {"b": (4,)}
EXAMPLES = settings(max_examples=6, deadline=None, derandomize=True)


def of(condition):
    """Return the forms for which a condition holds, as rows."""
    return [pytest.param(form, id=name) for name, form in FORMS.items() if condition(form)]


AS_MANY, ORDERS = st.just(STEPS), st.floats(0, 4)


@st.composite
def worlds(draw, *, zero_gradients=True, steps=AS_MANY, spread=ORDERS, shapes=SHAPES):
    """A start, gradients for each step, losses and diagonals: what an optimizer is told.

    spread: by how many orders of magnitude gradients are above one, and below.
    """
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    spread, steps = draw(spread), draw(steps)

    def some(*, positive=False):
        found = {}
        for name, shape in shapes.items():
            x = 10.0 ** rng.uniform(-spread, spread, shape) * (1 if positive else rng.choice([-1.0, 1.0], shape))
            found[name] = np.where(rng.random(shape) < 0.15, 0.0, x) if zero_gradients and not positive else x
        return found

    return {
        "w": {name: rng.standard_normal(shape) for name, shape in shapes.items()},
        "g": [some() for _ in range(steps)],
        "values": [float(x) for x in rng.uniform(1, 3, steps)],
        "hessians": [some(positive=True) if t % 2 == 0 else None for t in range(steps)],
    }


@st.composite
def numbers(draw, form, *, zeros=(), every=False):
    """Hyper-parameters of a form within their ranges, not far from its defaults; those named are zero.

    every: none stays at its default but counts, and what is zero by default may be something else.
    """
    found = {}
    for name, default in form.defaults.items():
        interval = form.ranges[name]
        if name in zeros and 0.0 in interval:
            found[name] = 0.0
        elif not interval.whole and 0.5 in interval and 1.5 not in interval:
            x = draw(st.floats(0.05, 0.95))
            found[name] = x if x in interval else default
        elif name in ("lr", "momentum_decay", "weight_decay", "lr_max"):
            found[name] = (default or 0.01) * draw(st.floats(0.5, 2.0))
        elif every and not interval.whole:
            x = draw(st.sampled_from([default, default * 0.7 or 0.3, default * 1.6 or 2.0]))
            found[name] = x if x in interval else default
        else:
            found[name] = default
    return found


def path(form, world, options, *, w=None, g=lambda g: g, before=lambda opt, t: None):
    """Return the parameters after each step, the start first. w, g: what is done to start and gradients."""
    params = {name: np.array(x if w is None else w(x)) for name, x in world["w"].items()}
    found = [{name: x.copy() for name, x in params.items()}]
    with without_numba():
        opt = tw.Optimizer(form, nonfinite="allow", **options)
        for t in range(len(world["g"])):
            before(opt, t)
            more = {"value": world["values"][t]} if form.facts.needs_value else {}
            if form.facts.takes_hessian:
                more["hessian"] = world["hessians"][t]
            opt.update(params, {name: np.array(g(x)) for name, x in world["g"][t].items()}, **more)
            found.append({name: x.copy() for name, x in params.items()})
    return found


def assert_same(one, other, change=lambda x: x):
    """Equal to the last bit, the sign of zero apart; any NaN equals any NaN."""
    for a, b in zip(one, other, strict=True):
        for name in a:
            np.testing.assert_array_equal(change(a[name]), b[name])


def assert_close(one, other, change=lambda x: x, *, rtol=1e-9):
    """Up to rounding in units of the largest position or step."""
    size = max(largest(one), largest(other))
    for a, b in zip(one, other, strict=True):
        for name in a:
            np.testing.assert_allclose(change(a[name]), b[name], rtol=0, atol=rtol * size)


def largest(found):
    return max(float(np.nanmax(np.abs(w), initial=0.0)) for point in found for w in point.values())
