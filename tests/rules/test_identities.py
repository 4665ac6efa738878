"""What the facts of a rule promise, on drawn numbers and gradients: the meaning of every form, in float64.

Facts are read off the text (`Rule.symmetries`, `Rule.facts`) or declared beside it (`bound=`, `contains=`). That the
kernels have the same bits as the meaning is shown elsewhere.
"""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import thalweg as tw
from tests.language.agreement import without_numba
from thalweg.report.sheet import sheet_of

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
        elif name in ("lr", "momentum_decay", "weight_decay", "max_lr"):
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


@pytest.mark.parametrize("form", of(lambda form: form.symmetries.odd))
@EXAMPLES
@given(data=st.data())
def test_the_other_sign_of_everything_gives_the_other_sign(form, data):
    world, options = data.draw(worlds()), data.draw(numbers(form, zeros=form.symmetries.odd_at))
    one, other = path(form, world, options), path(form, world, options, w=np.negative, g=np.negative)
    assert_same(one, other, np.negative)


MATRICES = of(lambda form: form.facts.matrix)


@pytest.mark.parametrize("form", MATRICES)
@EXAMPLES
@given(data=st.data())
def test_matrices_of_the_other_sign_give_the_other_sign(form, data):
    """Up to rounding: what BLAS and LAPACK do with the other sign is theirs. There is a vector as well."""
    world = data.draw(worlds(zero_gradients=False, spread=st.floats(0, 2), shapes=THREE))
    options = data.draw(numbers(form))
    assert_close(path(form, world, options), path(form, world, options, w=np.negative, g=np.negative), np.negative)


EPS_GROWS = {"shampoo": {"eps": 2, "eps_graft": 1}}
"""What an eps is beside: squares, or roots of them."""


@pytest.mark.parametrize("form", MATRICES)
@EXAMPLES
@given(data=st.data(), k=st.integers(-9, 9).filter(bool))
def test_matrices_times_a_power_of_two_give_the_same_steps(form, data, k):
    """Up to rounding: with every eps at zero, or, where it has to be above zero, with one as much larger."""
    world = data.draw(worlds(zero_gradients=False, spread=st.floats(0, 2), shapes=THREE))
    known = form.vectors.defaults | form.defaults
    powers = EPS_GROWS.get(form.name, {})
    options = data.draw(numbers(form)) | {name: known[name] if powers else 0.0 for name in known if "eps" in name}
    grown = options | {name: options[name] * 4.0 ** (k * power / 2) for name, power in powers.items() if name in known}
    assert_close(path(form, world, options), path(form, world, grown, g=lambda g: np.ldexp(g, k)))


@pytest.mark.parametrize("form", of(lambda form: form.symmetries.shifted))
@EXAMPLES
@given(data=st.data(), c=st.sampled_from([1.0, -3.0, 0.7]))
def test_steps_do_not_depend_on_where_the_parameter_is(form, data, c):
    """Up to rounding: each step and each position is rounded once, in units of the largest position."""
    world = data.draw(worlds(zero_gradients=False))
    options = data.draw(numbers(form, zeros=form.symmetries.shifted_at))
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
    options = data.draw(numbers(form, zeros=form.symmetries.degree_at))
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


@pytest.mark.parametrize("form", of(lambda form: form.facts.coupled))
@EXAMPLES
@given(data=st.data())
def test_parameters_that_depend_on_each_other_do_so_in_any_order(form, data):
    """Up to rounding: totals are summed in the order of the keys, so that another order rounds them otherwise."""
    world = data.draw(worlds(zero_gradients=False, spread=st.floats(0, 1), shapes=THREE))
    options = data.draw(numbers(form))
    turned = world | {
        "w": dict(reversed(world["w"].items())),
        "g": [dict(reversed(g.items())) for g in world["g"]],
    }  # fmt: skip
    one, other = path(form, world, options), path(form, turned, options)
    assert list(one[0]) == list(reversed(other[0]))
    assert_close(one, other)


def test_every_form_has_facts_that_are_looked_at():
    odd = {name for name, form in FORMS.items() if form.symmetries.odd}
    assert odd == {name for name, form in FORMS.items() if not form.facts.matrix}
    # m of this one starts at the accumulator's value, whatever the gradients are
    assert {name: form.symmetries.odd_at for name, form in FORMS.items() if form.symmetries.odd_at} == {
        "yogi[optax]": ("initial_accumulator",)
    }
    adaptive = {name for name, form in FORMS.items() if form.symmetries.degree == 0.0}
    assert {"adam[book]", "adam[torch]", "adagrad[paper]", "rmsprop[torch]", "lion[paper]", "adamax[paper]"} <= adaptive
    assert {name for name, form in FORMS.items() if form.symmetries.degree == 1.0} >= {"sgd[book]", "momentum[torch]"}
    assert not {"adabound[authors]", "padam[paper]", "lars[paper]", "fromage[authors]"} & adaptive


def test_no_fact_depends_on_a_number_out_of_its_range():
    for form in FORMS.values():
        at = {*form.symmetries.shifted_at, *form.symmetries.odd_at, *form.symmetries.degree_at}
        ranges = form.ranges | (form.vectors.ranges if form.vectors else {})
        assert all(0.0 in ranges[name] for name in at), form
    for name in ("dadaptadam[authors]", "dadaptadam[optax]", "dog[authors]", "dowg[authors]", "stableadamw[paper]"):
        assert FORMS[name].symmetries.degree is None
    assert FORMS["mars[authors]"].symmetries.shifted_at == ("weight_decay", "weight_decay_1d")


@pytest.mark.parametrize(
    "name, said",
    [
        ("radam[torch]", ["The origin of the parameter does not matter."]),
        ("soap[authors]", ["With weight_decay at zero the origin of the parameter does not matter."]),
        ("dadaptadam[authors]", ["With weight_decay at zero the origin of the parameter does not matter."]),
        ("signsgd[paper]", ["Neither the scale of the loss nor the origin of the parameter matters."]),
        ("lion[paper]", [
            "With weight_decay at zero neither the scale of the loss nor the origin of the parameter matters.",
        ]),
        ("adam[paper]", [
            "The origin of the parameter does not matter.",
            "With eps and eps_root at zero the scale of the loss does not matter either.",
        ]),
        ("sgd[paper]", [
            "The origin of the parameter does not matter.", "The step grows with the scale of the loss.",
        ]),
        ("lamb[paper]", []),
    ],
)  # fmt: skip
def test_what_is_said_of_a_rule_names_the_numbers_that_it_depends_on(name, said):
    facts = sheet_of(FORMS[name]).facts
    assert [x for x in facts if "the scale of" in x or "origin of" in x] == said


def test_what_is_said_of_a_rule_that_is_another_one():
    assert "With momentum = 0 and dampening = 0 it is sgd[torch]." in sheet_of(FORMS["momentum[torch]"]).facts
