"""Every hyper-parameter does something: moved by a tenth, the result is another one; out of its range it is refused."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

import thalweg as tw
from tests.extra_rules import adafactor, novograd, prodigy

# Numbers at which each of them matters, where the defaults are zero or too small to be seen
BUSY = {
    "lr_decay": 0.1,
    "momentum": 0.5,
    "dampening": 0.3,
    "eps_root": 1e-2,
    "initial_accumulator": 0.5,
    "initial_momentum": 0.5,
    "weight_decay": 0.1,
    "eps": 1e-3,
    "eps1": 1e-3,
    "eps2": 1.0,
    "clipping": 0.5,
    "d0": 1e-3,
}
# Each text once, of the six; of later rules tests.mutants moves every number. A convention that is another's text with
# other defaults has the same numbers.
CLASSIC = ("sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam")
TEXTS = {id(form.text): form for name in CLASSIC for form in reversed(tw.RULES[name].conventions.values())}
FORMS = [*TEXTS.values(), novograd, prodigy, adafactor]
ROWS = [
    pytest.param(rule, name, id=f"{rule.name}-{rule.convention_name}-{name}")
    for rule in FORMS
    for name in rule.defaults
]


def busy(rule):
    return {name: BUSY.get(name, default) for name, default in rule.defaults.items()}


def moved(rule, name, number):
    return number * (1.1 if number * 1.1 in rule.ranges[name] else 0.9)


def run(rule, numbers, late=None):
    """Return the parameters after six steps, with other numbers from the third on."""
    rng = np.random.default_rng(3)
    params = {"a": 0.3 * rng.standard_normal((3, 4)), "b": 0.3 * rng.standard_normal((2, 5))}
    opt = tw.Optimizer(rule, **numbers)
    for step in range(6):
        if step == 2:
            for name, value in (late or {}).items():
                setattr(opt, name, value)
                assert getattr(opt, name) == value
        opt.update(params, {name: 0.7 + rng.standard_normal(w.shape) for name, w in params.items()})
    return np.concatenate([w.ravel() for w in params.values()])


@pytest.mark.parametrize("rule, name", ROWS)
def test_a_tenth_more_is_seen(rule, name):
    numbers = busy(rule)
    change = run(rule, numbers | {name: moved(rule, name, numbers[name])}) - run(rule, numbers)
    assert np.abs(change).max() > 1e-9, "no more than rounding"


@pytest.mark.parametrize("rule, name", ROWS)
def test_set_between_two_steps_it_acts_on_the_next(rule, name):
    """What a slot starts at, and nothing else, has acted by then."""
    numbers = busy(rule)
    change = run(rule, numbers, late={name: moved(rule, name, numbers[name])}) - run(rule, numbers)
    is_a_start = name.startswith("initial_")
    assert (np.abs(change).max() > 1e-9) != is_a_start


@pytest.mark.parametrize(
    "make, name",
    [
        (tw.LARS, "trust"), (tw.AdamAtan2, "a"), (tw.ASGD, "alpha"), (tw.StableAdamW, "eps"),
        *((partial(tw.NAdam, convention=convention), "momentum_decay") for convention in ("torch", "keras")),
    ],
)  # fmt: skip
def test_numbers_that_would_take_a_step_uphill_or_divide_by_zero_are_refused(make, name):
    bad = 0.0 if name == "eps" else -1e-3
    with pytest.raises(ValueError, match=rf"{name} = {bad} is out of range"):
        make(**{name: bad})
