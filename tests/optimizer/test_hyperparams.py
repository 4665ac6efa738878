"""Hyper-parameters: what may be given, by position, by name, live, and as a function of t."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

import thalweg as tw
from tests.extra_rules import adafactor, novograd, prodigy
from tests.optimizer.worlds import World, all_bits, some_grads, some_params
from thalweg.hyperparams import defaults_of

FORMS = [*tw.RULES.values(), novograd, prodigy, adafactor]  # every convention: test_every_number
ROWS = [
    pytest.param(rule, name, id=f"{rule.name}-{rule.convention_name}-{name}")
    for rule in FORMS
    for name in rule.defaults
]
# Sizes of state are no functions of t.
SCHEDULED = [row for row in ROWS if row.values[1] not in {slot.block for slot in row.values[0].slots.values()}]
NO_NUMBERS = [True, np.True_, "0.1", None, 1j, [0.1], np.array([0.1]), Decimal("0.1"), object()]
NOT_FINITE = [np.nan, np.inf, -np.inf, 10**400]


def out_of_range(rule, name):
    """Finite numbers on the wrong side of each end that the range has."""
    ends = rule.ranges[name]
    below = [] if ends.low == -np.inf else [-1, -1e-300 if ends.holds_low else ends.low]
    return below + ([] if ends.high == np.inf else [x for x in (1.0, 1, 1.5) if x not in ends])


def bad(rule, name):
    return [(value, TypeError) for value in NO_NUMBERS] + [
        (value, ValueError) for value in [*NOT_FINITE, *out_of_range(rule, name)]
    ]


@pytest.mark.parametrize("rule, name", ROWS)
def test_bad_values_at_construction(rule, name):
    for value, kind in bad(rule, name):
        with pytest.raises(kind, match=rf"{rule.title}: {name} = .*{name}"):
            tw.Optimizer(rule, **{name: value})
        position = list(rule.defaults).index(name)
        with pytest.raises(kind, match=rf"{name} = "):
            tw.Optimizer(rule, *list(rule.defaults.values())[:position], value)


@pytest.mark.parametrize("rule, name", ROWS)
def test_bad_values_when_set(rule, name):
    opt = tw.Optimizer(rule)
    for value, kind in bad(rule, name):
        with pytest.raises(kind, match=rf"{rule.title}: {name} = "):
            setattr(opt, name, value)
        assert opt.hyperparams == defaults_of(rule)


@pytest.mark.parametrize("rule, name", SCHEDULED)
def test_bad_values_from_a_schedule(rule, name):
    params = {"w": np.ones((2, 3))}
    opt = tw.Optimizer(rule)
    opt.update(params, {"w": np.ones((2, 3))}, value=2.0)
    before = all_bits(params)
    for value, kind in bad(rule, name):
        setattr(opt, name, lambda t, value=value: value)
        with pytest.raises(kind, match=rf"{name} = .* from its schedule at t = 2"):
            opt.update(params, {"w": np.ones((2, 3))}, value=2.0)
        assert (all_bits(params), opt.t) == (before, 1)


def test_messages_say_what_is_legal():
    for value, text in [(-1, "lr >= 0"), (np.nan, "lr >= 0, finite"), ("0.1", "a number with lr >= 0, or a function")]:
        with pytest.raises((TypeError, ValueError), match=text):
            tw.Adam(lr=value)
    with pytest.raises(ValueError, match=r"beta1 = 1.0 is out of range; legal is 0 <= beta1 < 1"):
        tw.Adam(beta1=1.0)
    with pytest.raises(TypeError, match="a bool"):
        tw.Adam(lr=True)


@pytest.mark.parametrize(
    "value", [0, 1, 0.25, np.float32(0.1), np.float64(0.1), np.int64(2), np.uint8(3), Fraction(1, 3), 1e-320, 1e300]
)
def test_every_real_number_will_do(value):
    opt = tw.SGD(lr=value)
    assert type(opt.lr) is float
    assert opt.lr == float(value)
    opt.lr = 0.5
    opt.lr = value
    assert opt.hyperparams == {"lr": float(value)}


def test_reading_and_setting_while_it_runs():
    opt, w = tw.SGD(lr=0.5), np.zeros(1)
    for lr, expected in [(0.5, -1.0), (0.25, -1.5), (0, -1.5)]:
        opt.lr = lr
        opt.update({"w": w}, {"w": np.array([2.0])})
        assert (opt.lr, w[0]) == (lr, expected)
    assert opt.hyperparams == {"lr": 0.0}


def test_hyperparams_is_a_picture_and_no_handle():
    opt = tw.Adam()
    opt.hyperparams["lr"] = 3.0
    assert opt.hyperparams == dict(opt.rule.defaults)
    assert list(opt.hyperparams) == list(opt.rule.defaults)


def test_by_position_and_by_name():
    assert tw.Adam(0.5, 0.6, 0.7).hyperparams == tw.Adam(beta2=0.7, lr=0.5, beta1=0.6).hyperparams
    with pytest.raises(TypeError, match=r"Momentum takes at most 2 hyper-parameters.*lr, momentum.*3 were given"):
        tw.Momentum(0.1, 0.2, 0.3)
    with pytest.raises(TypeError, match="Adam: `lr` is given by position and by name"):
        tw.Adam(0.5, lr=0.5)


TRANSLATIONS = [
    (tw.RMSprop, "rho", "`rho`.*`decay_rate"),
    (tw.RMSprop, "alpha", "`alpha`.*`decay_rate"),
    (tw.RMSprop, "decay", "`decay`.*`decay_rate"),
    (tw.Adam, "betas", "`betas.*`beta1=, beta2="),
    (tw.AggMo, "betas", "`betas.*`beta1=, beta2=, beta3=`"),
    (tw.StableAdamW, "eps_roots", "did you mean `eps_root`"),
    (tw.Adam, "beta_1", "`beta_1`.*`beta1="),
    (tw.Adam, "beta_2", "`beta_2`.*`beta2="),
    (tw.Adam, "b1", "`b1`.*`beta1="),
    (tw.Adam, "epsilon", "`epsilon`.*`eps="),
    (tw.SGD, "learning_rate", "`learning_rate`.*`lr="),
    (tw.Nesterov, "mu", "`mu`.*`momentum="),
    (tw.SGD, "momentum", r"`SGD\(momentum=\)` is `Momentum`"),
    (tw.SGD, "nesterov", r"`SGD\(nesterov=\)` is `Nesterov`"),
    (tw.Adam, "lrr", "no `lrr`.*did you mean `lr`"),
    (tw.Adam, "wombat", "Adam has no `wombat`.*lr, beta1, beta2, eps"),
    (tw.Adam, "weight_decay", "no `weight_decay`.*gradient"),
]


@pytest.mark.parametrize("cls, name, message", TRANSLATIONS)
def test_names_from_other_libraries_are_translated(cls, name, message):
    with pytest.raises(TypeError, match=message):
        cls(**{name: 0.5})
    with pytest.raises(AttributeError, match=message):
        setattr(cls(), name, 0.5)


def test_the_start_of_adagrads_sum_in_torchs_words():
    with pytest.raises(TypeError, match=r"`initial_accumulator_value`.*`initial_accumulator="):
        tw.AdaGrad(convention="torch", initial_accumulator_value=0.1)


@pytest.mark.parametrize("name", ["t", "rule", "state", "shared", "hyperparams", "skipped", "update"])
def test_what_can_only_be_read(name):
    opt = tw.Adam()
    with pytest.raises(AttributeError, match=f"`{name}`"):
        setattr(opt, name, 3)


def test_an_unknown_attribute():
    opt = tw.Adam()
    with pytest.raises(AttributeError, match="no attribute 'gamma'; its hyper-parameters: lr, beta1"):
        opt.gamma  # noqa: B018
    assert not hasattr(opt, "gamma")
    assert hasattr(opt, "lr")


def test_schedules_are_asked_for_each_step_and_for_no_other():
    asked = []

    def rate(t):
        asked.append(t)
        return 0.5 / t

    opt, w = tw.SGD(lr=rate), np.zeros(1)
    for _ in range(4):
        opt.update({"w": w}, {"w": np.ones(1)})
    assert set(asked) == {1, 2, 3, 4}
    assert all(type(t) is int for t in asked)
    assert w[0] == -(0.5 + 0.25 + 0.5 / 3 + 0.125)


def test_what_a_schedule_reads_as():
    opt, w = tw.SGD(lr=lambda t: 0.5 / t), np.zeros(1)
    assert opt.lr == 0.5
    for t in range(1, 4):
        opt.update({"w": w}, {"w": np.ones(1)})
        assert opt.lr == opt.hyperparams["lr"] == 0.5 / t
    opt.lr = 0.25
    assert opt.lr == 0.25
    opt.lr = lambda t: t
    assert opt.lr == 3.0


@pytest.mark.parametrize("rule, name", SCHEDULED)
def test_any_hyper_parameter_may_be_a_function_of_t(rule, name):
    """A constant function is the constant, and one of two values is the same as setting them in turn."""
    value = rule.defaults[name]
    other = value * 0.5 + (0.125 if rule.ranges[name].high > 0.2 else 0.0)
    other = value + 1 if rule.ranges[name].whole else other if other in rule.ranges[name] else 1.5 * value
    params, steps = some_params(), 4
    params = {k: w for k, w in params.items() if w.ndim > 1}
    by_schedule, by_hand = tw.Optimizer(rule, **{name: lambda t: value if t % 2 else other}), tw.Optimizer(rule)
    twin = {k: w.copy() for k, w in params.items()}
    for step in range(steps):
        grads = some_grads(params, step)
        by_schedule.update(params, grads, value=2.0)
        setattr(by_hand, name, other if step % 2 else value)
        by_hand.update(twin, grads, value=2.0)
    assert all_bits(params) == all_bits(twin)


def test_schedules_follow_the_optimizer_and_corrections_the_parameter():
    """A name first seen at the third step takes the rate of t = 3, and Adam's corrections of its own first step."""
    opt, w = tw.Adam(lr=lambda t: 0.1 * t, eps=0.0), {"a": np.zeros(1)}
    for _ in range(2):
        opt.update(w, {"a": np.ones(1)})
    w["b"] = np.zeros(1)
    opt.update(w, {"a": np.ones(1), "b": np.ones(1)})
    # the first step of Adam is lr * g / |g|
    assert w["b"] == pytest.approx([-0.3], rel=1e-12)


def test_a_skipped_step_does_not_advance_a_schedule():
    opt, w = tw.SGD(lr=lambda t: 1.0 * t, nonfinite="skip"), np.zeros(1)
    for g in (1.0, np.nan, np.nan, 1.0):
        opt.update({"w": w}, {"w": np.array([g])})
    assert w[0] == -(1.0 + 2.0)


def test_repr():
    assert repr(tw.Momentum(lr=0.5)) == "Momentum(lr=0.5, momentum=0.9) after 0 steps"
    assert "convention='torch'" in repr(tw.Adam(convention="torch"))
    assert "convention" not in repr(tw.Adam())

    def cosine(t):
        return 0.1

    assert "lr=cosine" in repr(tw.SGD(lr=cosine))
    world = World("adam", 2)
    assert repr(world.opt).startswith("Adam(lr=0.001, beta1=0.9, beta2=0.999, eps=1e-07")
    assert repr(world.opt).endswith("after 2 steps")
