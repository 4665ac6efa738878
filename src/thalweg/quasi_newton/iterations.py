"""The iterations of one call: Nocedal & Wright 2006, algorithm 7.5, with the first lengths and the ends of torch."""

from __future__ import annotations

import numpy as np

from thalweg import words
from thalweg.quasi_newton.cubic import Trial
from thalweg.quasi_newton.ground import Ground, Point
from thalweg.quasi_newton.inner import inner, largest
from thalweg.quasi_newton.memory import Memory, Trail
from thalweg.quasi_newton.settings import Settings
from thalweg.quasi_newton.two_loop import Pair, descent, remembered
from thalweg.quasi_newton.wolfe import Search
from thalweg.words import Array


def iterate(ground: Ground, memory: Memory, settings: Settings) -> tuple[float, Memory]:
    """Return the value where the parameters are, and the memory afterwards; the ground has settled where they end."""
    trail = memory.trail
    here = ground.first(None if trail is None else trail.leaves)
    value, iterations, is_over = here.value, 0, largest(here.gradient) <= settings.tolerance_grad
    while not is_over:
        iterations += 1
        trail, length = _headed(ground, trail, here.gradient, settings)
        slope = inner(here.gradient, trail.direction)
        # Not a descent worth a step. torch keeps the length that it did not go, and takes it for the step when the next
        # call makes a pair; a step of 0 makes none.
        if slope > -settings.tolerance_change:
            break
        before = here
        is_last = iterations == settings.max_iter
        if settings.line_search is not None:
            here, step = _searched(ground, trail.direction, here, slope, length, settings.evaluations)
        else:
            step = length
            here = here if is_last else ground.at(step, trail.direction)
        ground.settle(step, trail.direction)
        trail = Trail(trail.leaves, trail.gradient, trail.direction, step, trail.pairs)
        is_over = (
            is_last
            or ground.evaluations >= settings.evaluations
            or largest(here.gradient) <= settings.tolerance_grad
            or largest(_times(step, trail.direction)) <= settings.tolerance_change
            or abs(here.value - before.value) < settings.tolerance_change
        )
    counts = memory.t + 1, memory.n_iter + iterations, memory.func_evals + ground.evaluations
    return value, Memory(*counts, trail)


def _headed(ground: Ground, trail: Trail | None, gradient: Array, settings: Settings) -> tuple[Trail, float]:
    """Return where the next iteration heads, from here, and the length to try first."""
    if trail is None:
        # torch: nothing is known of the curvature yet, and the first step is short where gradients are large.
        steepness = words.sum(np.abs(gradient))
        return Trail(ground.leaves, gradient, -gradient, 0.0, ()), min(1.0, 1.0 / steepness) * settings.lr
    with np.errstate(all="ignore"):
        new = Pair.of(_times(trail.step, trail.direction), gradient - trail.gradient)
    pairs = remembered(trail.pairs, new, settings.history_size)
    return Trail(ground.leaves, gradient, descent(gradient, pairs), 0.0, pairs), settings.lr


def _searched(
    ground: Ground, direction: Array, here: Point, slope: float, length: float, evaluations: int
) -> tuple[Point, float]:
    """Return the point that a line search ends at, and how far along the direction it lies."""

    def trial(t: float) -> Trial:
        point = ground.at(t, direction)
        return Trial(t, point.value, inner(point.gradient, direction), point.gradient)

    start = Trial(0.0, here.value, slope, here.gradient)
    end = Search(trial, start, largest(direction), evaluations - ground.evaluations).from_length(length)
    return Point(end.value, end.gradient), end.t


def _times(step: float, direction: Array) -> Array:
    with np.errstate(all="ignore"):
        return step * direction
