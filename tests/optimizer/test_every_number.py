"""Every argument of every rule and convention refuses what is no number in its range, wherever it comes from."""

from __future__ import annotations

import math
from decimal import Decimal

import numpy as np
import pytest

import thalweg as tw
from tests.extra_rules import adafactor, novograd, prodigy
from tests.optimizer.worlds import bits
from thalweg.hyperparams import defaults_of, rules_of

SHIPPED = [form for rule in tw.RULES.values() for form in rule.conventions.values()]
FORMS = [*SHIPPED, novograd, prodigy, adafactor]
IDS = [f"{rule.name}-{rule.convention_name}" for rule in FORMS]
every_form = pytest.mark.parametrize("rule", FORMS, ids=IDS)

NO_NUMBERS = {
    "None": None,
    "text": "0.1",
    "bytes": b"",
    "a bool": True,
    "a bool of NumPy": np.False_,
    "a complex number": 1j,
    "a list": [0.1],
    "a dict": {"lr": 0.1},
    "an array": np.array([0.1]),
    "an array without axes": np.array(0.1),
    "an object": object(),
    "a Decimal": Decimal("0.1"),
    "a Decimal that is NaN": Decimal("NaN"),
}
NOT_FINITE = {"NaN": np.nan, "infinity": np.inf, "minus infinity": -np.inf, "an int beyond all floats": 10**400}


def bad_values(rule, name):
    """Every bad value of one argument, with the error that it is."""
    legal = next(one.ranges[name] for one in rules_of(rule) if name in one.defaults)
    found = [(value, TypeError) for value in NO_NUMBERS.values()] + [(x, ValueError) for x in NOT_FINITE.values()]
    for end, holds, way in ((legal.low, legal.holds_low, -math.inf), (legal.high, legal.holds_high, math.inf)):
        if math.isfinite(end):
            found.append((math.nextafter(end, way) if holds else end, ValueError))
            found.append((end + math.copysign(10.0, way), ValueError))
    if legal.whole:
        found.append((1.5, ValueError))
    return found


def given(rule, **numbers):
    """Legal numbers for all arguments, so that the one bad number is what is wrong."""
    return {name: 0.1 if default is None else default for name, default in defaults_of(rule).items()} | numbers


def make(rule, **numbers):
    if rule in SHIPPED:
        return getattr(tw, rule.title)(convention=rule.convention_name, **given(rule, **numbers))
    return tw.Optimizer(rule, **given(rule, **numbers))


class Running:
    """An optimizer that has taken two steps."""

    def __init__(self, rule):
        self.opt = make(rule)
        self.params = {"W": np.linspace(-1, 1, 6).reshape(2, 3), "V": np.linspace(0, 1, 4, dtype="f4").reshape(2, 2)}
        self.step()
        self.step()

    def step(self):
        value = 1.0 if self.opt.rule.facts.needs_value else None
        self.opt.update(self.params, {name: np.cos(3 * w + 1) for name, w in self.params.items()}, value=value)

    def everything(self):
        state = {(n, s): bits(np.asarray(x)) for n, slots in self.opt.state.items() for s, x in slots.items()}
        return {n: bits(w) for n, w in self.params.items()} | state | dict(self.opt.shared) | {"t": self.opt.t}


@every_form
def test_at_construction(rule):
    for name in defaults_of(rule):
        for value, kind in bad_values(rule, name):
            with pytest.raises(kind, match=rf"{rule.title}: {name} = .*{name}"):
                make(rule, **{name: value})


@every_form
def test_by_position(rule):
    numbers = given(rule)
    for i, name in enumerate(numbers):
        for value, kind in bad_values(rule, name):
            with pytest.raises(kind, match=rf"{rule.title}: {name} = "):
                tw.Optimizer(rule, *list(numbers.values())[:i], value)


@every_form
def test_when_set(rule):
    running = Running(rule)
    before, numbers = running.everything(), running.opt.hyperparams
    for name in numbers:
        for value, kind in bad_values(rule, name):
            with pytest.raises(kind, match=rf"{rule.title}: {name} = "):
                setattr(running.opt, name, value)
    assert running.opt.hyperparams == numbers
    assert running.everything() == before


@every_form
def test_from_a_schedule_at_the_third_step(rule):
    running, untouched = Running(rule), Running(rule)
    before = running.everything()
    sizes = {slot.block for slot in rule.slots.values()}  # which are no functions of t
    for name, number in running.opt.hyperparams.items():
        for value, kind in bad_values(rule, name) if name not in sizes else ():
            setattr(running.opt, name, lambda t, value=value, number=number: value if t == 3 else number)
            with pytest.raises(kind, match=rf"{rule.title}: {name} = .* from its schedule at t = 3"):
                running.step()
        assert running.everything() == before
        setattr(running.opt, name, number)
    running.step()
    untouched.step()
    assert running.everything() == untouched.everything()


@every_form
def test_in_a_group(rule):
    opt = tw.Optimizer(rule, **given(rule), groups={"W": {}})
    shared = {name for one in rules_of(rule) for name in one.facts.model_numbers}
    for name in defaults_of(rule):
        for value, kind in bad_values(rule, name):
            with pytest.raises((kind, ValueError), match=name):
                tw.Optimizer(rule, **given(rule), groups={"W": {name: value}})
            with pytest.raises(ValueError if name in shared else kind, match=name):
                setattr(opt.groups["W"], name, value)
    assert opt.groups["W"].hyperparams == opt.hyperparams


# Names and habits from elsewhere --------------------------------------------------------------------------------------

TRANSLATIONS = [
    (tw.Adam, "betas", r"`betas` is `beta1=, beta2=`"),
    (tw.Adam, "beta_1", r"`beta_1` is `beta1=`"),
    (tw.Adam, "beta_2", r"`beta_2` is `beta2=`"),
    (tw.Adam, "b1", r"`b1` is `beta1=`"),
    (tw.Adam, "b2", r"`b2` is `beta2=`"),
    (tw.Adam, "epsilon", r"`epsilon` is `eps=`"),
    (tw.AdaGrad, "epsilon", r"`epsilon` is `eps=`"),
    (tw.Adam, "learning_rate", r"`learning_rate` is `lr=`"),
    (tw.SGD, "learning_rate", r"`learning_rate` is `lr=`"),
    (tw.SGD, "step_size", r"`step_size` is `lr=`"),
    (tw.RMSprop, "rho", r"`rho` is `decay_rate=`"),
    (tw.RMSprop, "alpha", r"`alpha` is `decay_rate=`"),
    (tw.RMSprop, "decay", r"`decay` is `decay_rate=`"),
    (tw.Momentum, "beta", r"`beta` is `momentum=`"),
    (tw.Momentum, "nesterov", r"`Momentum\(nesterov=\)` is `Nesterov`"),
    (tw.SGD, "momentum", r"`SGD\(momentum=\)` is `Momentum`"),
    (tw.SGD, "nesterov", r"`SGD\(nesterov=\)` is `Nesterov`"),
    (tw.SGD, "dampening", r"dampening.*\(1 - d\) \* lr"),
    (tw.AdaGrad, "momentum", r"no `momentum`: .*Momentum, Nesterov and Adam"),
    (tw.RMSprop, "centered", r"no `centered`: .*mean of the gradients"),
    (tw.Adam, "amsgrad", r"no `amsgrad`: .*another rule"),
    (tw.Adam, "maximize", r"no `maximize`: give the negative gradients"),
    (tw.Adam, "foreach", r"no `foreach`: .*one pass"),
    (tw.Adam, "fused", r"no `fused`: .*one pass"),
    (tw.Adam, "capturable", r"no `capturable`: .*leave it out"),
    (tw.Adam, "differentiable", r"no `differentiable`: .*leave it out"),
    (tw.Adam, "clipnorm", r"no `clipnorm`: chain\(clip_norm\(1\.0\), rule\)"),
    (tw.Adam, "clipvalue", r"no `clipvalue`: chain\(clip_value\(1\.0\), rule\)"),
    (tw.Adam, "global_clipnorm", r"no `global_clipnorm`: chain\(clip_global_norm\(1\.0\), rule\)"),
    (tw.Adam, "use_ema", r"no `use_ema`: chain\(rule, ema\(0\.99\)\)"),
    (tw.Adam, "ema_momentum", r"no `ema_momentum`: chain\(rule, ema\(0\.99\)\)"),
    (tw.Adam, "ema_overwrite_frequency", r"chain\(rule, ema\(0\.99, overwrite=100\)\)"),
    (tw.Adam, "gradient_accumulation_steps", r"chain\(accumulate\(4\), rule\)"),
    (tw.Adam, "loss_scale_factor", r"multiply the gradients"),
    (tw.Adam, "jit_compile", r"leave it out"),
    (tw.Adam, "weight_decay", r"chain\(l2\(0\.01\), rule\).*chain\(rule, decoupled_decay\(0\.01\)\)"),
    (tw.SGD, "weight_decay", r"chain\(l2\(0\.01\), rule\)"),
    (tw.Adam, "params", r"no `params`: .*opt\.update\(params, grads\)"),
    (tw.SGD, "eps_root", r"no `eps_root`: it is added inside of a root of squares"),
    (tw.RMSprop, "momentum", r'RMSprop\(convention="book"\) has no `momentum`; convention="torch", .* have it\.'),
    (tw.AdaGrad, "lr_decay", r'AdaGrad\(convention="book"\) has no `lr_decay`; convention="torch" has it\.'),
    (tw.PolyakSGD, "max_lr", r"`max_lr` is `lr_max=` here"),
]


@pytest.mark.parametrize("cls, name, message", TRANSLATIONS)
def test_names_from_other_libraries_are_translated(cls, name, message):
    takes = ", ".join(cls().hyperparams)
    for attempt in (lambda: cls(**{name: 0.5}), lambda: tw.SGD(groups={"x": cls(**{name: 0.5})})):
        with pytest.raises(TypeError, match=message) as error:
            attempt()
        assert takes in str(error.value)
    opt = cls()
    with pytest.raises(AttributeError, match=message):
        setattr(opt, name, 0.5)
    assert name not in opt.hyperparams


@pytest.mark.parametrize("way", ["meaning"], indirect=True)
def test_what_is_advised_can_be_done():
    w = np.ones(3)
    for opt in (
        tw.chain(tw.l2(0.01), tw.Adam()),
        tw.chain(tw.Adam(), tw.decoupled_decay(0.01)),
        tw.chain(tw.clip_norm(1.0), tw.Adam()),
        tw.chain(tw.clip_value(1.0), tw.Adam()),
        tw.chain(tw.clip_global_norm(1.0), tw.Adam()),
        tw.chain(tw.Adam(), tw.ema(0.99)),
        tw.chain(tw.Adam(), tw.ema(0.99, overwrite=100)),
        tw.chain(tw.accumulate(4), tw.Adam()),
    ):
        opt.update(w, np.ones(3))


def test_start_of_the_sum_in_other_words():
    for name in ("initial_accumulator_value", "initial_scale"):
        with pytest.raises(TypeError, match=rf"`{name}` is `initial_accumulator=`"):
            tw.AdaGrad(convention="torch", **{name: 0.1})


@pytest.mark.parametrize(
    "params",
    [
        {"W": np.ones((2, 3))},
        [np.ones(3)],
        (np.ones(3), np.ones(2)),
        (w for w in [np.ones(3)]),
        iter([np.ones(3)]),
        {"W": np.ones((2, 3))}.values(),
    ],
)
def test_parameters_in_the_place_of_the_rate(params):
    """As torch wants it: torch.optim.Adam(model.parameters())."""
    with pytest.raises(
        TypeError, match=r"Adam: lr = .*Parameters are given to each step: opt\.update\(params, grads\)"
    ):
        tw.Adam(params)
    with pytest.raises(TypeError, match=r"Adam: lr = .*opt\.update\(params, grads\)"):
        tw.Optimizer("adam", params)


def test_messages_of_large_values_are_short():
    for value in (np.ones((300, 300)), ["x" * 10000], "x" * 10000, 10**4000):
        with pytest.raises((TypeError, ValueError)) as error:
            tw.Adam(value)
        assert len(str(error.value)) < 400
