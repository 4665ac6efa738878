"""Schedules that rise and fall: warm_restarts, one_cycle, cyclic."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import final

from thalweg.schedules import arguments as legal
from thalweg.schedules.base import Schedule
from thalweg.schedules.curves import between, cosine_left, ratio, scaled


@final
@dataclass(frozen=True, repr=False)
class warm_restarts(Schedule):  # noqa: N801
    """Half a cosine from value to final, again and again; torch's `CosineAnnealingWarmRestarts`, SGDR.

    Loshchilov & Hutter 2017, arXiv:1608.03983, eq. 5. `final` itself is never given: each period ends one step before
    it. optax's `sgdr_schedule` is a `join` of `cosine`, where every period may have a value and a warm-up of its own.

    Args:
        value: the value at each restart.
        period: number of steps before the first restart, >= 1 (torch: `T_0`).
        growth: by which whole number, >= 1, each period is longer than the one before (torch: `T_mult`).
        final: the value towards which it falls.
    """

    value: float
    _: KW_ONLY
    period: int
    growth: int = 1
    final: float = 0.0

    def __post_init__(self) -> None:
        self._check(value=legal.finite, period=legal.whole(1), growth=legal.whole(1), final=legal.finite)

    def _after(self, taken: int, /) -> float:
        period = self.period
        if self.growth == 1:
            taken %= period
        while taken >= period:
            taken -= period
            period *= self.growth
        return between(self.final, self.value, cosine_left(taken, period))


@final
@dataclass(frozen=True, repr=False)
class one_cycle(Schedule):  # noqa: N801
    """Up to a peak and down to almost nothing; torch's `OneCycleLR` (Smith & Topin 2018, arXiv:1708.07120).

    From peak / div_factor up to peak, and down to peak / div_factor / final_div_factor, which it reaches at t = steps
    and keeps; torch's moves on for one more step and is an error after that. The peak is reached after
    pct_start * steps - 1 steps, which need not be whole. With three phases the way down is as long as the way up and
    ends at the first value, and the rest falls to the last one. torch also moves the momentum unless told otherwise;
    here that is a schedule of its own.

    optax's `cosine_onecycle_schedule` counts one step more and peaks after int(pct_start * steps) = a steps:
    `join([cosine(low, steps=a, final=peak), cosine(peak, steps=steps - a, final=lowest)], milestones=[a])`; its
    `linear_onecycle_schedule` is a `join` of three `polynomial`.

    Args:
        peak: the largest value (torch: `max_lr`).
        steps: total number of steps, >= 1.
        pct_start: the share of the steps that it rises, from 0 to 1; with three phases at most 0.5.
        div_factor: > 0.
        final_div_factor: > 0.
        anneal: "cos" or "linear".
        three_phase: whether the way down has two parts.
    """

    peak: float
    _: KW_ONLY
    steps: int
    pct_start: float = 0.3
    div_factor: float = 25.0
    final_div_factor: float = 1e4
    anneal: str = "cos"
    three_phase: bool = False

    def __post_init__(self) -> None:
        self._check(
            peak=legal.finite,
            steps=legal.whole(1),
            pct_start=legal.proportion,
            div_factor=legal.positive,
            final_div_factor=legal.positive,
            anneal=legal.one_of("cos", "linear"),
            three_phase=legal.flag,
        )
        if self.three_phase and self.pct_start > 0.5:
            raise ValueError(
                f"one_cycle: pct_start = {self.pct_start!r} with three phases is too long; the way up and the way "
                "down take as many steps each: give at most 0.5"
            )

    def _after(self, taken: int, /) -> float:
        taken = min(taken, self.steps - 1)
        first, rise = self.peak / self.div_factor, self.pct_start * self.steps
        lowest = first / self.final_div_factor
        if self.three_phase:
            ends, values = [rise - 1, 2 * rise - 2, self.steps - 1], [first, self.peak, first, lowest]
        else:
            ends, values = [rise - 1, self.steps - 1], [first, self.peak, lowest]
        phase = next(i for i, end in enumerate(ends) if taken <= end)
        begin = ends[phase - 1] if phase else 0.0
        return self._on_the_way(values[phase], values[phase + 1], taken - begin, ends[phase] - begin)

    def _on_the_way(self, start: float, goal: float, done: float, whole: float) -> float:
        if done >= whole:
            return goal
        return between(goal, start, cosine_left(done, whole) if self.anneal == "cos" else (whole - done) / whole)


@final
@dataclass(frozen=True, repr=False)
class cyclic(Schedule):  # noqa: N801
    """Up and down between two values on straight lines, without end; torch's `CyclicLR`.

    Smith 2017, arXiv:1506.01186. torch also moves the momentum unless told otherwise; here that is a schedule of its
    own. optax has none of this name.

    Args:
        base: the first and lowest value.
        peak: the highest value.
        up: number of steps from base to peak, >= 1 (torch: `step_size_up`).
        down: number of steps back, >= 1; None: as many.
        mode: "triangular"; "triangular2", where each cycle is half as high as the one before; or "exp_range", where
            the height is multiplied by gamma at every step.
        gamma: the factor of "exp_range", >= 0; with the other modes it is left at 1.
    """

    base: float
    peak: float
    _: KW_ONLY
    up: int = 2000
    down: int | None = None
    mode: str = "triangular"
    gamma: float = 1.0

    def __post_init__(self) -> None:
        self._check(base=legal.finite, peak=legal.finite, up=legal.whole(1), gamma=legal.not_negative)
        self._check(mode=legal.one_of("triangular", "triangular2", "exp_range"))
        if self.down is not None:
            self._check(down=legal.whole(1))
        if self.gamma != 1 and self.mode != "exp_range":
            raise ValueError(f'cyclic: gamma = {self.gamma!r} acts with mode="exp_range" only; mode = {self.mode!r}')

    def _after(self, taken: int, /) -> float:
        down = self.up if self.down is None else self.down
        cycles, done = divmod(taken, self.up + down)
        share = done / self.up if done <= self.up else (self.up + down - done) / down
        if self.mode == "triangular2":
            share = scaled(share, 0.5, ratio(cycles, 1))
        elif self.mode == "exp_range":
            share = scaled(share, self.gamma, ratio(taken, 1))
        return between(self.base, self.peak, share)
