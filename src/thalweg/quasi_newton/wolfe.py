"""A length along a direction that satisfies the strong Wolfe conditions: Nocedal & Wright 2006, (3.7).

    value(t) <= value(0) + C1 t slope(0)       it goes down enough (Armijo)
    |slope(t)| <= C2 |slope(0)|                and the curvature along the step is positive

Algorithm 3.5 goes outwards until two trials have such a length between them, and algorithm 3.6 ("zoom") narrows that
down. Both are here as torch.optim.LBFGS has them, which follows Mark Schmidt's minFunc; where that is not the book, a
comment says so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from thalweg.quasi_newton.cubic import Trial, cubic_minimum

C1 = 1e-4
C2 = 0.9
NARROWEST = 1e-9
"""Brackets over which no parameter moves farther are not narrowed down. torch: whatever tolerance_change is."""


@dataclass
class Search:
    """One search. Nothing here knows of parameters: the function is one of t.

    evaluate: the trial at a length. start: what is known at t = 0, where the slope is negative. size: the largest
    absolute value in the direction. most: evaluations behind the first, if the end is not found before (torch: as many
    as max_eval leaves).
    """

    evaluate: Callable[[float], Trial]
    start: Trial
    size: float
    most: int
    evaluations: int = 0

    def from_length(self, first: float) -> Trial:
        """Return the trial to go to, of which `first` is the first.

        It satisfies the conditions, unless the search ended before: for lack of evaluations, or of room. Then it is the
        lowest of those still looked at, which may be the start itself.
        """
        before, trial = self.start, self._try(first)
        while self._has_more():
            # The book compares with the trial before from the second one on, torch from the third.
            rises = self.evaluations > 2 and trial.value >= before.value
            if not self._is_low(trial) or rises:
                return self._zoom([before, trial])
            if self._is_flat(trial):
                return trial
            if trial.slope >= 0:
                return self._zoom([before, trial])
            # The book leaves the next length open; torch: where the cubic is least, but farther by a hundredth of the
            # last distance at least, and at most ten times as far from the start.
            nearest = trial.t + 0.01 * (trial.t - before.t)
            before, trial = trial, self._try(cubic_minimum(before, trial, nearest, 10.0 * trial.t))
        return self.start if self.start.value <= trial.value else trial

    def _zoom(self, ends: list[Trial]) -> Trial:
        """Narrow a bracket down. ends: in no order; each round one of them gives way to a trial between them."""
        low = _lower(ends)
        is_stuck = False
        while self._has_more() and not abs(ends[1].t - ends[0].t) * self.size < NARROWEST:
            t, is_stuck = _between(ends, is_stuck=is_stuck)
            trial = self._try(t)
            if not self._is_low(trial) or trial.value >= ends[low].value:
                # The book keeps its low end here. torch takes the new one if its value is lower, although it is not
                # low enough for its length.
                ends[1 - low] = trial
                low = _lower(ends)
                continue
            if self._is_flat(trial):
                return trial
            if trial.slope * (ends[1 - low].t - ends[low].t) >= 0:
                ends[1 - low] = ends[low]
            ends[low] = trial
        return ends[low]

    def _try(self, t: float) -> Trial:
        self.evaluations += 1
        return self.evaluate(t)

    def _has_more(self) -> bool:
        return self.evaluations <= self.most

    def _is_low(self, trial: Trial) -> bool:
        return trial.value <= self.start.value + C1 * trial.t * self.start.slope

    def _is_flat(self, trial: Trial) -> bool:
        return abs(trial.slope) <= -C2 * self.start.slope


def _lower(ends: list[Trial]) -> int:
    """Return which end has the lower value, the first where they have the same."""
    return 0 if ends[0].value <= ends[1].value else 1


def _between(ends: list[Trial], *, is_stuck: bool) -> tuple[float, bool]:
    """Return the next length inside a bracket, and whether it lies near an end.

    is_stuck: whether the last one did. The second time in a row, and at an end itself, the length is moved to a tenth
    of the bracket away from that end, so that the bracket shrinks.
    """
    near, far = sorted(end.t for end in ends)
    t = cubic_minimum(ends[0], ends[1], near, far)
    margin = 0.1 * (far - near)
    if min(far - t, t - near) >= margin:
        return t, False
    if not is_stuck and near < t < far:
        return t, True
    return (far - margin if far - t < t - near else near + margin), False
