"""The line search: what it ends at, on functions of one number and inside of runs."""

from __future__ import annotations

import numpy as np
import pytest

import thalweg as tw
from tests.quasi_newton.functions import LINES, PROBLEMS, Counted
from thalweg.quasi_newton.cubic import Trial, cubic_minimum
from thalweg.quasi_newton.wolfe import Search

C1, C2 = 1e-4, 0.9  # those of torch, and of Nocedal & Wright for quasi-Newton methods


def trial_of(f, t):
    value, slope = f(t)
    return Trial(t, value, slope, np.array([slope]))


def searched(f, first, most=25):
    search = Search(lambda t: trial_of(f, t), trial_of(f, 0.0), 1.0, most)
    return search.from_length(first), search.evaluations


@pytest.mark.parametrize("first", [1e-3, 0.1, 1.0, 3.0, 10.0])
@pytest.mark.parametrize("name", LINES)
def test_it_ends_where_the_conditions_hold(name, first):
    f = LINES[name]
    end, _ = searched(f, first)
    value, slope = f(0.0)
    assert end.t > 0
    assert end.value <= value + C1 * end.t * slope
    assert abs(end.slope) <= C2 * abs(slope)


def test_the_first_length_is_taken_if_it_will_do():
    end, evaluations = searched(lambda t: ((t - 1) ** 2, 2 * (t - 1)), 0.9)
    assert (end.t, evaluations) == (0.9, 1)


def test_the_cubic_through_a_quadratic_finds_its_minimum():
    """From 2.5 there is a bracket, and the cubic through both ends is the quadratic itself."""
    end, evaluations = searched(lambda t: ((t - 1) ** 2, 2 * (t - 1)), 2.5)
    assert end.t == pytest.approx(1.0, rel=1e-15)
    assert evaluations == 2


def test_it_goes_at_most_ten_times_as_far_each_time():
    lengths = []

    def f(t):
        lengths.append(t)
        return -t, -1.0

    end, evaluations = searched(f, 1.0, most=3)
    assert lengths[1:] == [1.0, 10.0, 100.0, 1000.0]
    assert (end.t, evaluations) == (1000.0, 4)


@pytest.mark.parametrize("most, evaluations", [(-1, 1), (0, 1), (1, 2), (2, 3)])
def test_without_more_evaluations_it_ends_at_the_lower_place(most, evaluations):
    """A wall right behind the start: whatever is tried is higher."""

    def f(t):
        return (0.0, -1.0) if t == 0 else (1.0, 1.0)

    end, count = searched(f, 1.0, most=most)
    assert (end.t, count) == (0.0, evaluations)


@pytest.mark.parametrize("ends", [(0.25, 1.0), (1.0, 0.25), (0.0, 3.0), (3.0, 0.0)])
def test_a_cubic_has_its_minimum_where_it_has(ends):
    """t^3 - t^2 - t: the derivative 3 t^2 - 2 t - 1 is zero at 1 and -1/3, and the second of these is a maximum."""
    a, b = (trial_of(lambda t: (t**3 - t**2 - t, 3 * t**2 - 2 * t - 1), t) for t in ends)
    assert cubic_minimum(a, b, -10.0, 10.0) == pytest.approx(1.0, rel=1e-14)
    assert cubic_minimum(a, b, -10.0, 0.75) == 0.75
    assert cubic_minimum(a, b, 1.25, 10.0) == 1.25


def test_a_cubic_without_a_minimum():
    """t^3 + t only rises; a line falls or rises for ever; at t^3 the formula is 0 / 0."""
    rising = [trial_of(lambda t: (t**3 + t, 3 * t**2 + 1), t) for t in (-1.0, 1.0)]
    assert cubic_minimum(*rising, -1.0, 2.0) == 0.5
    for slope, expected in ((-1.0, 2.0), (1.0, -1.0)):
        line = [trial_of(lambda t, slope=slope: (slope * t, slope), t) for t in (0.0, 1.0)]
        assert cubic_minimum(*line, -1.0, 2.0) == expected
    cubic = [trial_of(lambda t: (t**3, 3 * t**2), t) for t in (-1.0, 1.0)]
    assert cubic_minimum(*cubic, -1.0, 2.0) == 0.5


@pytest.mark.parametrize("problem", PROBLEMS)
def test_the_steps_of_a_run_satisfy_the_conditions(problem):
    """From outside: one iteration a call, and what the function says at both ends of it. The roundings of values count
    as soon as a step gains no more than they are."""
    f, start, _ = PROBLEMS[problem]
    opt, params, closure = tw.LBFGS(max_iter=1, max_eval=30), {"w": start.copy()}, Counted(f)
    seen = 0
    for _ in range(60):
        x = params["w"].copy()
        opt.update(params, closure=closure)
        step = params["w"] - x
        (value, gradient), (after, slope_after) = f(x), f(params["w"])
        slope = gradient @ step
        if np.abs(step).max() <= 1e-9 or abs(after - value) < 1e-9:
            break
        assert slope < 0
        assert after <= value + C1 * slope + 1e-14 * abs(value)
        assert abs(slope_after @ step) <= C2 * abs(slope) * (1 + 1e-9)
        seen += 1
    assert seen > 5
