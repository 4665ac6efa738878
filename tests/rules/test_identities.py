"""What the facts of a rule promise, on drawn numbers and gradients: the meaning of every form, in float64.

Facts are read off the text (`Rule.symmetries`, `Rule.facts`) or declared beside it (`bound=`, `contains=`). That the
kernels have the same bits as the meaning is shown elsewhere.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import thalweg as tw
from tests.language.agreement import without_numba

FORMS = {
    f"{name}[{convention}]": form for name, rule in tw.RULES.items() for convention, form in rule.conventions.items()
}
STEPS = 6
SHAPES = {"W": (3, 2), "V": (2, 2)}  # every rule takes matrices
EXAMPLES = settings(max_examples=6, deadline=None, derandomize=True)


def of(condition):
    """Return the forms for which a condition holds, as rows."""
    return [pytest.param(form, id=name) for name, form in FORMS.items() if condition(form)]


@st.composite
def worlds(draw, *, zero_gradients=True):
    """A start, gradients for each step, losses and diagonals: what an optimizer is told."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    spread = draw(st.floats(0, 4))

    def some(*, positive=False):
        found = {}
        for name, shape in SHAPES.items():
            x = 10.0 ** rng.uniform(-spread, spread, shape) * (1 if positive else rng.choice([-1.0, 1.0], shape))
            found[name] = np.where(rng.random(shape) < 0.15, 0.0, x) if zero_gradients and not positive else x
        return found

    return {
        "w": {name: rng.standard_normal(shape) for name, shape in SHAPES.items()},
        "g": [some() for _ in range(STEPS)],
        "values": [float(x) for x in rng.uniform(1, 3, STEPS)],
        "hessians": [some(positive=True) if t % 2 == 0 else None for t in range(STEPS)],
    }


@st.composite
def numbers(draw, form, *, zeros=()):
    """Hyper-parameters of a form within their ranges, not far from its defaults; those named are zero."""
    found = {}
    for name, default in form.defaults.items():
        interval = form.ranges[name]
        if name in zeros and 0.0 in interval:
            found[name] = 0.0
        elif not interval.whole and 0.5 in interval and 1.5 not in interval:
            x = draw(st.floats(0.05, 0.95))
            found[name] = x if x in interval else default
        elif name in ("lr", "momentum_decay", "weight_decay", "max_lr"):
            found[name] = (default or 0.01) * draw(st.floats(0.5, 2.0))
        else:
            found[name] = default
    return found


def path(form, world, options, *, w=None, g=lambda g: g, before=lambda opt, t: None):
    """Return the parameters after each step, the start first. w, g: what is done to start and gradients."""
    params = {name: np.array(x if w is None else w(x)) for name, x in world["w"].items()}
    found = [{name: x.copy() for name, x in params.items()}]
    with without_numba():
        opt = tw.Optimizer(form, nonfinite="allow", **options)
        for t in range(STEPS):
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


def largest(found):
    return max(float(np.nanmax(np.abs(w), initial=0.0)) for point in found for w in point.values())


@pytest.mark.parametrize("form", of(lambda form: form.symmetries.odd and not form.facts.matrix))
@EXAMPLES
@given(data=st.data())
def test_the_other_sign_of_everything_gives_the_other_sign(form, data):
    world, options = data.draw(worlds()), data.draw(numbers(form))
    one, other = path(form, world, options), path(form, world, options, w=np.negative, g=np.negative)
    assert_same(one, other, np.negative)


@pytest.mark.parametrize("form", of(lambda form: form.symmetries.shifted))
@EXAMPLES
@given(data=st.data(), c=st.sampled_from([1.0, -3.0, 0.7]))
def test_steps_do_not_depend_on_where_the_parameter_is(form, data, c):
    """Up to rounding: each step and each position is rounded once, in units of the largest position."""
    world = data.draw(worlds(zero_gradients=False))
    options = data.draw(numbers(form, zeros=[x for x in form.symmetries.zeros if not x.startswith("eps")]))
    one, other = path(form, world, options), path(form, world, options, w=lambda w: w + c)
    size = max(largest(one), largest(other), 1.0)
    # the distance to the start, which some rules divide by, is a difference of positions
    allowed = 1e-9 if any(slot.copies for slot in form.slots.values()) else 64 * STEPS * 2.3e-16
    for a, b in zip(one, other, strict=True):
        for name in a:
            assert np.abs(a[name] + c - b[name]).max() <= allowed * size


@pytest.mark.parametrize("form", of(lambda form: form.symmetries.degree is not None and form.facts.exact))
@EXAMPLES
@given(data=st.data(), k=st.integers(-9, 9).filter(bool))
def test_gradients_times_a_power_of_two_give_steps_times_a_power_of_it(form, data, k):
    """Bit for bit, from the origin: degree 0 is what Adam and its family promise where eps is zero."""
    world = data.draw(worlds(zero_gradients=False))
    options = data.draw(numbers(form, zeros=form.symmetries.zeros))
    world["w"] = {name: 0 * w for name, w in world["w"].items()}
    one = path(form, world, options)
    other = path(form, world, options, g=lambda g: np.ldexp(g, k))
    assert np.isfinite(largest(one))
    power = k * form.symmetries.degree
    assert power == int(power)
    assert_same(one, other, lambda w: np.ldexp(w, int(power)))


@pytest.mark.parametrize("form", of(lambda form: form.facts.elementwise))
@EXAMPLES
@given(data=st.data())
def test_elements_in_another_order_end_in_that_order(form, data):
    world, options = data.draw(worlds()), data.draw(numbers(form))

    def turned(x):
        return x[::-1]

    one = path(form, world, options)
    if form.facts.takes_hessian:
        diagonals = [h if h is None else {n: x[::-1] for n, x in h.items()} for h in world["hessians"]]
        world = world | {"hessians": diagonals}
    assert_same(one, path(form, world, options, w=turned, g=turned), turned)


@pytest.mark.parametrize("form", of(lambda form: form.declared.bound is not None))
@EXAMPLES
@given(data=st.data())
def test_no_element_of_a_step_is_larger_than_its_bound(form, data):
    world = data.draw(worlds())
    options = data.draw(numbers(form, zeros=[x for x in form.defaults if x.startswith("weight_decay")]))
    found = path(form, world, options)
    for t in range(1, STEPS + 1):
        bound = form.step_bound(t, **options)
        for name in SHAPES:
            step = np.abs(found[t][name] - found[t - 1][name]).max()
            assert step <= bound * (1 + 1e-12) + 4e-16 * np.abs(found[t][name]).max()
    assert form.step_bound(1, **options) < math.inf


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
    options = data.draw(numbers(form)) | fixed
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
    assert all(other in FORMS for others in found.values() for other in others)
    assert len(CONTAINED) >= 20


ADAM = [c for c, form in tw.RULES["adam"].conventions.items() if c != "mlx"]


@pytest.mark.parametrize("convention", ADAM)
@EXAMPLES
@given(data=st.data())
def test_adams_first_step_is_lr_times_the_sign(convention, data):
    """As eps goes to zero; the corrections of both moments cancel theirs. MLX corrects none."""
    form = FORMS[f"adam[{convention}]"]
    world = data.draw(worlds())
    options = data.draw(numbers(form, zeros=["eps_root"])) | {"eps": 1e-30}
    start, first = path(form, world, options)[:2]
    for name in SHAPES:
        expected = -options["lr"] * np.sign(world["g"][0][name])
        np.testing.assert_allclose(first[name] - start[name], expected, rtol=1e-9, atol=1e-15)


def test_lamb_is_adamw_where_the_ratio_of_norms_is_one():
    """A parameter as long as its step: You et al. 2019, Algorithm 2, with phi(|w|) = |u|."""
    rng = np.random.default_rng(4)
    g, w = rng.standard_normal((5, 4)), np.zeros((5, 4))
    numbers_ = dict(lr=1.0, beta1=0.8, beta2=0.9, eps=1e-3)
    step, *_ = FORMS["adamw[optax]"].function(w, g, w, w, t=1, weight_decay=0.0, **numbers_)
    w = rng.standard_normal((5, 4))
    w *= np.linalg.norm(step) / np.linalg.norm(w)
    ours, *_ = FORMS["lamb[paper]"].function(w, g, 0 * w, 0 * w, t=1, weight_decay=0.0, **numbers_)
    np.testing.assert_allclose(ours, w + step, rtol=1e-12)
    other, *_ = FORMS["lamb[paper]"].function(2 * w, g, 0 * w, 0 * w, t=1, weight_decay=0.0, **numbers_)
    np.testing.assert_allclose(other, 2 * w + 2 * step, rtol=1e-12)


@pytest.mark.parametrize("form", of(lambda form: "lr" in form.defaults))
@EXAMPLES
@given(data=st.data())
def test_a_schedule_is_the_number_set_by_hand(form, data):
    world, options = data.draw(worlds()), data.draw(numbers(form))
    rates = [options["lr"] / (1 + t) for t in range(STEPS)]

    def by_hand(opt, t):
        opt.lr = rates[t]

    scheduled = path(form, world, options | {"lr": lambda t: rates[t - 1]})
    assert_same(path(form, world, options | {"lr": rates[0]}, before=by_hand), scheduled)


@pytest.mark.parametrize("form", of(lambda form: not form.facts.coupled))
@EXAMPLES
@given(data=st.data())
def test_two_parameters_in_one_dict_are_two_dicts_in_any_order(form, data):
    world, options = data.draw(worlds()), data.draw(numbers(form))
    together = path(form, world, options)

    def part(names):
        return {
            key: x
            if key == "values"
            else {n: x[n] for n in names}
            if key == "w"
            else [one if one is None else {n: one[n] for n in names} for one in x]
            for key, x in world.items()
        }

    assert_same([{"W": p["W"]} for p in together], path(form, part(["W"]), options))
    assert_same([{"V": p["V"]} for p in together], path(form, part(["V"]), options))
    assert_same(together, path(form, part(["V", "W"]), options))


def test_every_form_has_facts_that_are_looked_at():
    odd = [name for name, form in FORMS.items() if not form.symmetries.odd and not form.facts.matrix]
    assert odd == []
    adaptive = {name for name, form in FORMS.items() if form.symmetries.degree == 0.0}
    assert {"adam[book]", "adam[torch]", "adagrad[paper]", "rmsprop[torch]", "lion[paper]", "adamax[paper]"} <= adaptive
    assert {name for name, form in FORMS.items() if form.symmetries.degree == 1.0} >= {"sgd[book]", "momentum[torch]"}
    assert not {"adabound[authors]", "padam[paper]", "lars[paper]", "fromage[authors]"} & adaptive
