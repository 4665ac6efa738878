"""Schedules made of others: warmup, warmup_stable_decay, join."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import final

from thalweg.schedules import arguments as legal
from thalweg.schedules.arguments import Part
from thalweg.schedules.base import Schedule, evaluate
from thalweg.schedules.curves import between, cosine_left, ramp


@final
@dataclass(frozen=True, repr=False)
class warmup(Schedule):  # noqa: N801
    """A straight line up to another schedule or number, which then starts with its own t = 1.

    torch: `SequentialLR` of `LinearLR` and the other; optax: `join_schedules` of `linear_schedule` and the other.

    Args:
        schedule: what follows: a schedule, any function of t, or a number. The line leads to its value at t = 1.
        steps: the length of the warm-up, >= 1. After so many steps the schedule starts.
        start: the first value of the line (torch: `start_factor` times the value).
    """

    schedule: Part
    _: KW_ONLY
    steps: int
    start: float = 0.0

    def __post_init__(self) -> None:
        self._check(schedule=legal.part, steps=legal.whole(1), start=legal.finite)

    def _after(self, taken: int, /) -> float:
        if taken >= self.steps:
            return evaluate(self.schedule, taken - self.steps + 1)
        return ramp(self.start, evaluate(self.schedule, 1), taken, self.steps)


@final
@dataclass(frozen=True, repr=False)
class warmup_stable_decay(Schedule):  # noqa: N801
    """Up on a straight line, the same value for long, and down at the end; WSD (Hu et al. 2024, arXiv:2404.06395).

    The decay starts after steps - decay steps and ends after `steps`; then the value stays. torch and optax have none
    of this name: there it is a join of three, as it can be here.

    Args:
        peak: the value in the middle.
        steps: total number of steps; at least warmup + decay.
        warmup: the number of steps that first lead linearly from `start` to `peak`.
        decay: the number of steps that last lead from `peak` to `final`, >= 1.
        start: the first value of the warm-up.
        final: the last value.
        shape: of the decay: "linear", "cosine", or "sqrt", which falls with the square root of the steps taken
            (Haegele et al. 2024, arXiv:2405.18392, "1-sqrt").
    """

    peak: float
    _: KW_ONLY
    steps: int
    warmup: int
    decay: int
    start: float = 0.0
    final: float = 0.0
    shape: str = "linear"

    def __post_init__(self) -> None:
        self._check(peak=legal.finite, steps=legal.whole(1), warmup=legal.whole(0), decay=legal.whole(1))
        self._check(start=legal.finite, final=legal.finite, shape=legal.one_of("linear", "cosine", "sqrt"))
        if self.warmup + self.decay > self.steps:
            raise ValueError(
                f"warmup_stable_decay: warmup = {self.warmup} and decay = {self.decay} are more than "
                f"steps = {self.steps}; `steps` includes both"
            )

    def _after(self, taken: int, /) -> float:
        if taken < self.warmup:
            return ramp(self.start, self.peak, taken, self.warmup)
        done = taken - (self.steps - self.decay)
        if done <= 0:
            return self.peak
        if done >= self.decay:
            return self.final
        if self.shape == "cosine":
            left = cosine_left(done, self.decay)
        elif self.shape == "sqrt":
            left = 1 - math.sqrt(done / self.decay)
        else:
            left = (self.decay - done) / self.decay
        return between(self.final, self.peak, left)


@final
@dataclass(frozen=True, repr=False)
class join(Schedule):  # noqa: N801
    """Schedules and numbers one after the other, each starting with its own t = 1.

    torch's `SequentialLR`, optax's `join_schedules`.

    Args:
        schedules: a list of schedules, functions of t, and numbers.
        milestones: after how many steps the next one starts: increasing whole numbers >= 1, one fewer than schedules.
    """

    schedules: Sequence[Part]
    _: KW_ONLY
    milestones: Sequence[int]

    def __post_init__(self) -> None:
        self._check(schedules=legal.parts, milestones=legal.milestones)
        if len(self.milestones) != len(self.schedules) - 1:
            raise ValueError(
                f"join: {len(self.schedules)} schedules have {len(self.schedules) - 1} milestones between them; "
                f"milestones = {list(self.milestones)}"
            )

    def _after(self, taken: int, /) -> float:
        which = bisect_right(self.milestones, taken)
        begin = self.milestones[which - 1] if which else 0
        return evaluate(self.schedules[which], taken - begin + 1)
