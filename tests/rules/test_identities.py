"""What is read off a rule's text (`Rule.symmetries`, `Rule.facts`) holds on drawn numbers, by the meaning in float64.

That the kernels have the same bits as the meaning is shown elsewhere.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.rules.drawn import (
    EXAMPLES,
    FORMS,
    STEPS,
    THREE,
    assert_close,
    assert_same,
    largest,
    numbers,
    of,
    path,
    worlds,
)
from thalweg.report.sheet import sheet_of


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
