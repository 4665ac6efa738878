"""Arguments: what is legal, and what the errors say about everything else."""

from __future__ import annotations

import inspect
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from tests.schedules.every import EVERY
from thalweg import schedules as s
from thalweg.schedules.stored import KINDS

NO_NUMBERS = [True, np.True_, "0.1", None, 1j, [0.1], np.array([0.1]), Decimal("0.1"), object(), b"1"]
NOT_FINITE = [np.nan, np.inf, -np.inf, 10**400]
NO_COUNTS = [True, np.True_, "3", 2.5, 3.0, 1j, [3], np.array(3), object(), np.nan]

ABOVE_0 = [0, -1, -0.5]
BELOW_0 = [-1, -1e-300]

# For each kind: legal arguments, and for each argument what is out of range besides what is no number at all.
REALS = {
    "constant": ({"value": 1}, {"value": []}),
    "step": ({"value": 1, "every": 3}, {"value": [], "gamma": BELOW_0}),
    "multi_step": ({"value": 1, "milestones": [3]}, {"value": [], "gamma": BELOW_0}),
    "exponential": ({"value": 1, "gamma": 0.5, "final": 0.1}, {"value": [0.09], "gamma": BELOW_0, "final": [1.1]}),
    "polynomial": ({"value": 1, "steps": 9}, {"value": [], "power": ABOVE_0, "final": [], "start": []}),
    "inverse_sqrt": ({"value": 1}, {"value": [], "start": []}),
    "cosine": ({"value": 1, "steps": 9}, {"value": [], "final": [], "start": [], "exponent": ABOVE_0}),
    "warm_restarts": ({"value": 1, "period": 9}, {"value": [], "final": []}),
    "one_cycle": (
        {"peak": 1, "steps": 9},
        {"peak": [], "pct_start": [-0.1, 1.1], "div_factor": ABOVE_0, "final_div_factor": ABOVE_0},
    ),
    "warmup": ({"schedule": 1, "steps": 9}, {"schedule": [], "start": []}),
    "warmup_stable_decay": ({"peak": 1, "steps": 9, "warmup": 2, "decay": 3}, {"peak": [], "start": [], "final": []}),
    "cyclic": ({"base": 1, "peak": 2, "mode": "exp_range"}, {"base": [], "peak": [], "gamma": BELOW_0}),
    "join": ({"schedules": [1], "milestones": []}, {}),
    "reduce_on_plateau": (
        {"value": 1},
        {"value": [-0.1], "factor": [0, 1, -0.5, 1.5], "threshold": BELOW_0, "final": [1.1], "eps": BELOW_0},
    ),
}
COUNTS = {
    "step": {"every": 1},
    "exponential": {"every": 1},
    "polynomial": {"steps": 1, "warmup": 0},
    "inverse_sqrt": {"warmup": 0, "timescale": 1},
    "cosine": {"steps": 1, "warmup": 0},
    "warm_restarts": {"period": 1, "growth": 1},
    "one_cycle": {"steps": 1},
    "warmup": {"steps": 1},
    "warmup_stable_decay": {"steps": 1, "warmup": 0, "decay": 1},
    "cyclic": {"up": 1, "down": 1},
    "reduce_on_plateau": {"patience": 0, "cooldown": 0},
}
OTHERS = {"milestones", "schedules", "mode", "threshold_mode", "anneal", "shape", "staircase", "three_phase", "state"}
NONE_IS_LEGAL = {("exponential", "final"), ("inverse_sqrt", "timescale"), ("cyclic", "down")}


def test_no_argument_is_left_out():
    for name, kind in KINDS.items():
        assert set(inspect.signature(kind).parameters) - OTHERS == {*REALS[name][1], *COUNTS.get(name, {})}


@pytest.mark.parametrize("name, key", [(name, key) for name, (_, bad) in REALS.items() for key in bad])
def test_numbers(name, key):
    legal, out_of_range = REALS[name]
    kind = KINDS[name]
    kind(**legal)
    for value in NO_NUMBERS:
        if value is None and (name, key) in NONE_IS_LEGAL:
            continue
        with pytest.raises(TypeError, match=rf"^{name}: {key} = .* give a finite number"):
            kind(**legal | {key: value})
    for value in [*NOT_FINITE, *out_of_range[key]]:
        with pytest.raises(ValueError, match=rf"^{name}: .*{key} = .*"):
            kind(**legal | {key: value})


@pytest.mark.parametrize("name, key", [(name, key) for name, keys in COUNTS.items() for key in keys])
def test_counts(name, key):
    legal, low = REALS[name][0], COUNTS[name][key]
    kind = KINDS[name]
    for value in NO_COUNTS:
        with pytest.raises(TypeError, match=rf"^{name}: {key} = .*(a bool|of type)"):
            kind(**legal | {key: value})
    for value in (low - 1, -5, 10**400, 2**53 + 1):
        with pytest.raises(ValueError, match=rf"^{name}: {key} = .* give a whole number >= {low}"):
            kind(**legal | {key: value})
    found = getattr(kind(**legal | {key: np.int32(6)}), key)
    assert found == 6
    assert type(found) is int


def test_a_whole_float_is_shown_as_an_int():
    with pytest.raises(TypeError, match=r"^cosine: steps = 1000.0 is of type float; write 1000$"):
        s.cosine(0.1, steps=1e3)


@pytest.mark.parametrize(
    "call, says",
    [
        (lambda: s.cosine(0.1, steps=9, warmup=9), r"cosine: warmup = 9 with steps = 9; `steps` includes"),
        (lambda: s.polynomial(0.1, steps=9, warmup=10), r"polynomial: warmup = 10 with steps = 9"),
        (lambda: s.warmup_stable_decay(1, steps=9, warmup=5, decay=5), r"warmup = 5 and decay = 5 are more than"),
        (lambda: s.multi_step(1, milestones=[3, 3]), r"multi_step: milestones = \[3, 3\] is not increasing"),
        (lambda: s.multi_step(1, milestones=[4, 3]), r"not increasing"),
        (lambda: s.multi_step(1, milestones=[0, 3]), r"milestones\[0\] = 0 is out of range"),
        (lambda: s.join([1, 2], milestones=[]), r"2 schedules have 1 milestones between them"),
        (lambda: s.join([1, 2], milestones=[3, 4]), r"2 schedules have 1 milestones"),
        (lambda: s.join([1, 2], milestones=[0]), r"join: milestones\[0\] = 0"),
        (lambda: s.join([], milestones=[]), r"join: schedules is empty"),
        (lambda: s.cyclic(1, 2, mode="sine"), r"cyclic: mode = 'sine'; give one of 'triangular', 'triangular2', 'exp"),
        (lambda: s.cyclic(1, 2, gamma=0.9), r"cyclic: gamma = 0.9 acts with mode=\"exp_range\" only"),
        (lambda: s.one_cycle(1, steps=9, anneal="cosine"), r"anneal = 'cosine'; give one of 'cos', 'linear'"),
        (lambda: s.one_cycle(1, steps=9, pct_start=0.6, three_phase=True), r"pct_start = 0.6 .* at most 0.5"),
        (lambda: s.warmup_stable_decay(1, steps=9, warmup=1, decay=1, shape=1), r"shape = 1; give one of 'linear'"),
        (lambda: s.exponential(1, gamma=2, final=0.5), r"final = 0.5 is never reached from value = 1.0 with gamma = 2"),
        (lambda: s.reduce_on_plateau(1, mode="least"), r"mode = 'least'; give one of 'min', 'max'"),
        (lambda: s.reduce_on_plateau(1, threshold_mode=None), r"threshold_mode = None; give one of 'rel', 'abs'"),
    ],
)  # fmt: skip
def test_what_does_not_fit_together(call, says):
    with pytest.raises(ValueError, match=says):
        call()


@pytest.mark.parametrize(
    "call, says",
    [
        (lambda: s.multi_step(1, milestones=5), r"milestones = 5 is of type int; give a list of whole numbers"),
        (lambda: s.multi_step(1, milestones={3: 0.1}), r"milestones = {3: 0.1} is of type dict"),
        (lambda: s.multi_step(1, milestones="35"), r"milestones = '35' is of type str"),
        (lambda: s.multi_step(1, milestones=[1, 2.0]), r"milestones\[1\] = 2.0 is of type float; write 2"),
        (lambda: s.join(0.1, milestones=[]), r"schedules = 0.1 is of type float; give a list of schedules and numbers"),
        (lambda: s.join([1, True], milestones=[3]), r"schedules\[1\] = True is a bool; give a finite number, or a sch"),
        (lambda: s.warmup(s.cosine, steps=3), r"schedule = cosine is a class; give a schedule, such as"),
        (lambda: s.exponential(1, gamma=0.5, staircase=1), r"staircase = 1 is of type int; give True or False"),
        (lambda: s.one_cycle(1, steps=9, three_phase="no"), r"three_phase = 'no' is of type str; give True or False"),
        (lambda: s.reduce_on_plateau(1, state={}), r"state = {}; give a PlateauState"),
        (lambda: s.cosine(0.1, 100), r"cosine takes value by position, and 2 were given; name the others, such as st"),
        (lambda: s.constant(1, 2), r"constant takes value by position, and 2 were given; there are no others"),
        (lambda: s.cosine(0.1), r"missing 1 required keyword-only argument: 'steps'"),
        (lambda: s.cosine(0.1, step=9), r"cosine has no argument `step`: did you mean `steps`\?; it takes value, st"),
    ],
)
def test_what_is_something_else(call, says):
    with pytest.raises(TypeError, match=says):
        call()


@pytest.mark.parametrize(
    "kind, theirs, ours",
    [
        (s.cosine, "T_max", "steps"),
        (s.cosine, "eta_min", "final"),
        (s.cosine, "alpha", "final"),
        (s.cosine, "peak_value", "value"),
        (s.cosine, "init_value", "value"),
        (s.cosine, "warmup_steps", "warmup"),
        (s.warmup, "warmup_steps", "steps"),
        (s.step, "step_size", "every"),
        (s.step, "lr", "value"),
        (s.multi_step, "boundaries", "milestones"),
        (s.exponential, "decay_rate", "gamma"),
        (s.exponential, "transition_steps", "every"),
        (s.exponential, "end_value", "final"),
        (s.polynomial, "total_iters", "steps"),
        (s.warm_restarts, "T_0", "period"),
        (s.warm_restarts, "T_mult", "growth"),
        (s.one_cycle, "total_steps", "steps"),
        (s.one_cycle, "max_lr", "peak"),
        (s.one_cycle, "anneal_strategy", "anneal"),
        (s.cyclic, "base_lr", "base"),
        (s.cyclic, "step_size_up", "up"),
        (s.warmup, "start_factor", "start"),
        (s.reduce_on_plateau, "min_lr", "final"),
        (s.join, "schedulers", "schedules"),
    ],
)
def test_names_of_other_libraries(kind, theirs, ours):
    with pytest.raises(
        TypeError, match=rf"{kind.__name__} has no argument `{theirs}`: it is `{ours}` here.*; it takes"
    ):
        kind(**{theirs: 1})


def test_factors_there_are_values_here():
    with pytest.raises(
        TypeError, match=r"`start_factor`: it is `start` here, as a value: start_factor times the value; "
    ):
        s.warmup(0.1, steps=9, start_factor=0.1)


def test_what_has_no_name_here():
    with pytest.raises(TypeError, match=r"`transition_begin`; join\(\["):
        s.exponential(1, gamma=0.5, transition_begin=9)
    with pytest.raises(TypeError, match=r"`last_epoch`; a schedule has no count of its own"):
        s.step(1, every=3, last_epoch=4)
    with pytest.raises(AttributeError, match=r"schedules has no `CosineAnnealingLR`: it is `cosine` here"):
        _ = s.CosineAnnealingLR
    with pytest.raises(AttributeError, match=r"schedules has no `sinus`; there are constant, step"):
        _ = s.sinus


def test_every_kind_of_real_number():
    for value in (Fraction(1, 4), np.float32(0.25), np.float64(0.25)):
        schedule = s.constant(value)
        assert type(schedule.value) is float
        assert schedule == s.constant(0.25)
    assert type(s.constant(1).value) is float


def test_every_kind_is_in_the_lists():
    assert {type(one) for one in EVERY} == set(KINDS.values())
    assert set(KINDS) < set(s.__all__)
    assert set(s._ELSEWHERE.values()) <= set(KINDS)
