"""Each schedule at t against optax's at count t - 1, in float64, over 1,000 steps and beyond the end.

optax computes each value anew with fewer than 8 roundings of half a unit in the last place of the largest value, and so
does the closed form here: 8 eps of the largest value lie between them. A power of gamma also has its exponent rounded,
once on each side, which changes its logarithm by eps / 2: |log of the power| eps, relative. XLA's cos, exp and log are
good to 2 units in the last place, which the 8 hold.

A staircase is asked for one Python number after the other: over arrays, and in compiled code, XLA multiplies by the
reciprocal of `transition_steps`, and floor(197 / 197) is 0 there.
"""

from __future__ import annotations

import math

import pytest

from tests.schedules.tables import EPS, N, draws, log_uniform
from thalweg import schedules as s

jax = pytest.importorskip("jax", reason="oracle jax is not installed")
optax = pytest.importorskip("optax", reason="oracle optax is not installed")
DRAWS = draws(3)


def optax_values(make, n, one_by_one=False):
    with jax.enable_x64(True) if hasattr(jax, "enable_x64") else jax.experimental.enable_x64():
        schedule = make()
        if one_by_one:
            return [float(schedule(count)) for count in range(n)]
        values = jax.vmap(schedule)(jax.numpy.arange(n))
        assert values.dtype == "float64"
        return [float(value) for value in values]


def agree(ours, make, n=N + 100, power=0.0, one_by_one=False):
    theirs = optax_values(make, n, one_by_one)
    assert len(set(theirs)) > 1, "a case that stays constant shows nothing"
    largest = max(map(abs, theirs))
    for index, value in enumerate(theirs):
        mine = ours(index + 1)
        assert abs(mine - value) <= 8 * EPS * largest + power * EPS * abs(value), (index, mine, value)


@pytest.mark.parametrize("staircase", [False, True])
@pytest.mark.parametrize("rng", DRAWS, ids=range(3))
def test_exponential(rng, staircase):
    v, every, gamma, begin = log_uniform(rng, 1e-4, 1), rng.randint(1, 300), rng.uniform(0.3, 1.4), rng.randint(1, 400)
    final = v * (rng.uniform(0.2, 0.9) if gamma < 1 else rng.uniform(1.1, 3))
    how = {"power": abs((N + 100) / every * math.log(gamma)), "one_by_one": staircase}
    endless = s.exponential(v, gamma=gamma, every=every, staircase=staircase)
    agree(endless, lambda: optax.exponential_decay(v, every, gamma, 0, staircase), **how)
    ours = s.join([v, s.exponential(v, gamma=gamma, every=every, staircase=staircase, final=final)], milestones=[begin])
    agree(ours, lambda: optax.exponential_decay(v, every, gamma, begin, staircase, final), **how)


def test_exponential_with_gamma_0_is_constant_in_optax():
    assert set(map(float, (optax.exponential_decay(0.1, 5, 0.0)(n) for n in range(20)))) == {0.1}
    assert [s.exponential(0.1, gamma=0)(t) for t in (1, 2, 3)] == [0.1, 0.0, 0.0]


@pytest.mark.parametrize("rng", DRAWS, ids=range(3))
def test_steps(rng):
    v, gamma = log_uniform(rng, 1e-4, 1), rng.uniform(0.1, 1.3)
    milestones = sorted(rng.sample(range(1, N), 5))
    ours = s.multi_step(v, milestones=milestones, gamma=gamma)
    agree(ours, lambda: optax.piecewise_constant_schedule(v, dict.fromkeys(milestones, gamma)))
    factors = [rng.uniform(0.1, 1.3) for _ in milestones]
    values = [v * math.prod(factors[:i]) for i in range(6)]
    ours = s.join(values, milestones=milestones)
    agree(ours, lambda: optax.piecewise_constant_schedule(v, dict(zip(milestones, factors, strict=True))))
    ours = s.step(v, every=milestones[0], gamma=0.9)
    power = N / milestones[0] * -math.log(0.9)
    agree(ours, lambda: optax.exponential_decay(v, milestones[0], 0.9, staircase=True), power=power, one_by_one=True)


@pytest.mark.parametrize("rng", DRAWS, ids=range(3))
def test_polynomial(rng):
    v, final, steps = log_uniform(rng, 1e-4, 1), rng.uniform(0, 0.5), rng.randint(1, N)
    power, begin = rng.choice([1, 2, 0.5, 3.3]), rng.randint(1, 300)
    ours = s.polynomial(v, steps=steps, power=power, final=final)
    agree(ours, lambda: optax.polynomial_schedule(v, final, power, steps))
    agree(s.join([v, ours], milestones=[begin]), lambda: optax.polynomial_schedule(v, final, power, steps, begin))
    agree(s.polynomial(v, steps=steps, final=final), lambda: optax.linear_schedule(v, final, steps))
    agree(s.warmup(final, steps=steps, start=v), lambda: optax.warmup_constant_schedule(v, final, steps))


@pytest.mark.parametrize("rng", DRAWS, ids=range(3))
def test_cosine(rng):
    v, steps, alpha = log_uniform(rng, 1e-4, 1), rng.randint(100, N), rng.choice([0, rng.random()])
    exponent, warmup, start = rng.choice([1, 2, 0.5, 1.7]), rng.randint(1, 99), rng.uniform(0, 0.1)
    ours = s.cosine(v, steps=steps, final=alpha * v, exponent=exponent)
    # The root of a cosine near its end has half the digits in optax: (1 + cos) has lost them before the power.
    lost = EPS**exponent * 4 if exponent < 1 else 0.0
    theirs = optax_values(lambda: optax.cosine_decay_schedule(v, steps, alpha, exponent), N + 100)
    assert max(abs(ours(i + 1) - value) for i, value in enumerate(theirs)) <= v * (8 * EPS + lost)
    if exponent >= 1:
        agree(
            s.cosine(v, steps=steps, warmup=warmup, start=start, final=alpha * v, exponent=exponent),
            lambda: optax.warmup_cosine_decay_schedule(start, v, warmup, steps, alpha * v, exponent),
        )


@pytest.mark.parametrize("rng", DRAWS, ids=range(3))
def test_warmup_and_join(rng):
    v, start, gamma = log_uniform(rng, 1e-3, 1), rng.uniform(0, 0.1), rng.uniform(0.5, 0.99)
    a, b, c = sorted(rng.sample(range(2, N), 3))
    agree(
        s.warmup(s.exponential(v, gamma=gamma, every=20, final=v / 50), steps=a, start=start),
        lambda: optax.warmup_exponential_decay_schedule(start, v, a, 20, gamma, end_value=v / 50),
        power=abs(N / 20 * math.log(gamma)),
    )
    agree(
        s.join([s.cosine(v, steps=a), start, s.polynomial(v, steps=c - b), s.warmup(v, steps=9)], milestones=[a, b, c]),
        lambda: optax.join_schedules(
            [
                optax.cosine_decay_schedule(v, a),
                optax.constant_schedule(start),
                optax.linear_schedule(v, 0, c - b),
                optax.linear_schedule(0, v, 9),
            ],
            [a, b, c],
        ),
    )
    agree(
        s.warmup_stable_decay(v, steps=c, warmup=a, decay=c - b, start=start, final=v / 7),
        lambda: optax.join_schedules(
            [optax.linear_schedule(start, v, a), optax.constant_schedule(v), optax.linear_schedule(v, v / 7, c - b)],
            [a, b],
        ),
    )


@pytest.mark.parametrize("rng", DRAWS, ids=range(3))
def test_restarts_with_warmups(rng):
    periods = [
        dict(init_value=rng.random() / 9, peak_value=rng.random(), warmup_steps=rng.randint(1, 50),
             decay_steps=rng.randint(60, 300), end_value=rng.random() / 10)
        for _ in range(4)
    ]  # fmt: skip
    ends = [sum(p["decay_steps"] for p in periods[: i + 1]) for i in range(3)]
    ours = s.join(
        [
            s.cosine(
                p["peak_value"],
                steps=p["decay_steps"],
                warmup=p["warmup_steps"],
                start=p["init_value"],
                final=p["end_value"],
            )
            for p in periods
        ],
        milestones=ends,
    )
    agree(ours, lambda: optax.sgdr_schedule(periods))


@pytest.mark.parametrize("rng", DRAWS, ids=range(3))
def test_one_cycle_of_optax_is_a_join(rng):
    peak, pct, div, last = log_uniform(rng, 1e-3, 1), rng.uniform(0.1, 0.5), rng.uniform(2, 40), rng.uniform(10, 1e4)
    low, up, down = peak / div, int(pct * N), int(0.85 * N)
    agree(
        s.join(
            [s.cosine(low, steps=up, final=peak), s.cosine(peak, steps=N - up, final=low / last)],
            milestones=[up],
        ),
        lambda: optax.cosine_onecycle_schedule(N, peak, pct, div, last),
    )
    agree(
        s.join(
            [
                s.polynomial(low, steps=up, final=peak),
                s.polynomial(peak, steps=down - up, final=low),
                s.polynomial(low, steps=N - down, final=low / last),
            ],
            milestones=[up, down],
        ),
        lambda: optax.linear_onecycle_schedule(N, peak, pct, 0.85, div, last),
    )
