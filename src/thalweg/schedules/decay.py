"""Schedules that fall (or rise) once: constant, step, multi_step, exponential, polynomial, inverse_sqrt, cosine."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import final

from thalweg.schedules import arguments as legal
from thalweg.schedules.base import Schedule
from thalweg.schedules.curves import between, cosine_left, ramp, ratio, scaled


@final
@dataclass(frozen=True, repr=False)
class constant(Schedule):  # noqa: N801  (used like a function of t)
    """The same value at every step; optax's `constant_schedule`.

    Args:
        value: a finite number.
    """

    value: float

    def __post_init__(self) -> None:
        self._check(value=legal.finite)

    def _after(self, _taken: int, /) -> float:
        return self.value


@final
@dataclass(frozen=True, repr=False)
class step(Schedule):  # noqa: N801
    """The value, multiplied by gamma after every `every` steps; torch's `StepLR`.

    After n steps it is value * gamma**(n // every). optax's `exponential_decay(staircase=True)` is the same, but
    compiled by XLA, which multiplies by 1 / every, it changes a step late for some `every`, such as 49 and 197.

    Args:
        value: the first value.
        every: number of steps between changes, >= 1 (torch: `step_size`).
        gamma: the factor, >= 0.
    """

    value: float
    _: KW_ONLY
    every: int
    gamma: float = 0.1

    def __post_init__(self) -> None:
        self._check(value=legal.finite, every=legal.whole(1), gamma=legal.not_negative)

    def _after(self, taken: int, /) -> float:
        return scaled(self.value, self.gamma, ratio(taken // self.every, 1))


@final
@dataclass(frozen=True, repr=False)
class multi_step(Schedule):  # noqa: N801
    """The value, multiplied by gamma at each milestone; torch's `MultiStepLR`.

    optax's `piecewise_constant_schedule` with the same factor at each boundary is the same; other factors:
    `join([0.1, 0.05, 0.01], milestones=[300, 600])`. torch counts a milestone that is given twice twice; here it is an
    error. Keras' `PiecewiseConstantDecay` changes one step later.

    Args:
        value: the first value.
        milestones: after how many steps it changes: increasing whole numbers >= 1. It then keeps its last value.
        gamma: the factor, >= 0.
    """

    value: float
    _: KW_ONLY
    milestones: Sequence[int]
    gamma: float = 0.1

    def __post_init__(self) -> None:
        self._check(value=legal.finite, milestones=legal.milestones, gamma=legal.not_negative)

    def _after(self, taken: int, /) -> float:
        return scaled(self.value, self.gamma, bisect_right(self.milestones, taken))


@final
@dataclass(frozen=True, repr=False)
class exponential(Schedule):  # noqa: N801
    """The value, multiplied by gamma evenly over every `every` steps; torch's `ExponentialLR`.

    After n steps it is value * gamma**(n / every). With `every` and `final` it is optax's `exponential_decay`
    (`transition_steps`, `end_value`), but for gamma = 0: optax then keeps the first value, and torch, as here, falls
    to 0. A value too large for a float is infinite.

    Args:
        value: the first value.
        gamma: the factor, >= 0 (optax: `decay_rate`).
        every: number of steps in which it acts once, >= 1.
        staircase: whether it acts all at once after these steps.
        final: the value to stop at: the smallest one if gamma < 1, else the largest. None: there is none.
    """

    value: float
    _: KW_ONLY
    gamma: float
    every: int = 1
    staircase: bool = False
    final: float | None = None

    def __post_init__(self) -> None:
        self._check(value=legal.finite, gamma=legal.not_negative, every=legal.whole(1), staircase=legal.flag)
        if self.final is not None:
            self._check(final=legal.finite)
            if (self.final > self.value) if self.gamma < 1 else (self.final < self.value):
                raise ValueError(
                    f"exponential: final = {self.final!r} is never reached from value = {self.value!r} with "
                    f"gamma = {self.gamma!r}; a gamma < 1 goes down to it, and any other up"
                )

    def _after(self, taken: int, /) -> float:
        times = ratio(taken // self.every, 1) if self.staircase else ratio(taken, self.every)
        value = scaled(self.value, self.gamma, times)
        if self.final is None:
            return value
        return max(value, self.final) if self.gamma < 1 else min(value, self.final)


@final
@dataclass(frozen=True, repr=False)
class polynomial(Schedule):  # noqa: N801
    """From value to final along a power of the steps that are left; torch's `PolynomialLR`, linear with power 1.

    After n steps it is final + (value - final) * (1 - n / steps)**power, and `final` from then on. torch's ends at 0;
    optax's `polynomial_schedule` and `linear_schedule` have a final value, too. torch's `LinearLR` is
    `polynomial(lr * start_factor, steps=total_iters, final=lr * end_factor)`.

    Args:
        value: the first value, or with a warm-up the one that it leads to.
        steps: after how many steps `final` is reached, the warm-up included; >= 1.
        power: > 0.
        final: the last value; it may be larger than `value`.
        warmup: the number of steps that first lead linearly from `start` to `value`, less than `steps`.
        start: the first value of the warm-up.
    """

    value: float
    _: KW_ONLY
    steps: int
    power: float = 1.0
    final: float = 0.0
    warmup: int = 0
    start: float = 0.0

    def __post_init__(self) -> None:
        self._check(value=legal.finite, steps=legal.whole(1), power=legal.positive, final=legal.finite)
        self._check(warmup=legal.whole(0), start=legal.finite)
        _leave_room("polynomial", self.warmup, self.steps)

    def _after(self, taken: int, /) -> float:
        if taken < self.warmup:
            return ramp(self.start, self.value, taken, self.warmup)
        if taken >= self.steps:
            return self.final
        left: float = ((self.steps - taken) / (self.steps - self.warmup)) ** self.power
        return between(self.final, self.value, left)


@final
@dataclass(frozen=True, repr=False)
class inverse_sqrt(Schedule):  # noqa: N801
    """The value, falling with one over the square root of the step count, without end.

    n steps after the warm-up it is value * sqrt(timescale / (timescale + n)); without more arguments, value / sqrt(t).
    With a warm-up it is the schedule of the Transformer (Vaswani et al. 2017, arXiv:1706.03762, section 5.3), counted
    as all schedules here: the paper's has the first step of the warm-up behind it at t = 1. torch and optax have none
    of this name.

    Args:
        value: the first value, or with a warm-up the one that it leads to.
        warmup: the number of steps that first lead linearly from `start` to `value`.
        timescale: after how many steps the square of the value has halved, >= 1. None: the length of the warm-up, or 1
            without one.
        start: the first value of the warm-up.
    """

    value: float
    _: KW_ONLY
    warmup: int = 0
    timescale: int | None = None
    start: float = 0.0

    def __post_init__(self) -> None:
        self._check(value=legal.finite, warmup=legal.whole(0), start=legal.finite)
        if self.timescale is not None:
            self._check(timescale=legal.whole(1))

    def _after(self, taken: int, /) -> float:
        if taken < self.warmup:
            return ramp(self.start, self.value, taken, self.warmup)
        timescale = self.timescale or self.warmup or 1
        return self.value * math.sqrt(timescale / (timescale + taken - self.warmup))


@final
@dataclass(frozen=True, repr=False)
class cosine(Schedule):  # noqa: N801
    """From value to final along half a cosine; torch's `CosineAnnealingLR`.

    Loshchilov & Hutter 2017, arXiv:1608.03983, eq. 5, without restarts.

    After n steps it is final + (value - final) * ((1 + cos(pi * n / steps)) / 2)**exponent, and `final` from then on.
    torch's rises again after `T_max` steps. optax's `cosine_decay_schedule` (`final` is `alpha` times the value) and
    `warmup_cosine_decay_schedule` stay, too.

    `cosine(v, steps=1000, warmup=100)` is `warmup(cosine(v, steps=900), steps=100)`.

    Args:
        value: the first value, or with a warm-up the one that it leads to.
        steps: after how many steps `final` is reached, the warm-up included; >= 1.
        warmup: the number of steps that first lead linearly from `start` to `value`, less than `steps`.
        start: the first value of the warm-up.
        final: the last value.
        exponent: > 0.
    """

    value: float
    _: KW_ONLY
    steps: int
    warmup: int = 0
    start: float = 0.0
    final: float = 0.0
    exponent: float = 1.0

    def __post_init__(self) -> None:
        self._check(value=legal.finite, steps=legal.whole(1), final=legal.finite, exponent=legal.positive)
        self._check(warmup=legal.whole(0), start=legal.finite)
        _leave_room("cosine", self.warmup, self.steps)

    def _after(self, taken: int, /) -> float:
        if taken < self.warmup:
            return ramp(self.start, self.value, taken, self.warmup)
        if taken >= self.steps:
            return self.final
        left: float = cosine_left(taken - self.warmup, self.steps - self.warmup) ** self.exponent
        return between(self.final, self.value, left)


def _leave_room(who: str, warmup: int, steps: int) -> None:
    if warmup >= steps:
        raise ValueError(
            f"{who}: warmup = {warmup} with steps = {steps}; `steps` includes the warm-up, which must be the shorter "
            "of the two"
        )
