from __future__ import annotations

import math

import numpy as np
import pytest

from thalweg import problems

RAVINE = problems.Ravine()


def test_value_and_gradient_by_hand():
    assert RAVINE.value(-7, 2) == pytest.approx(49 / 20 + 4, rel=1e-15)
    assert RAVINE.value(*RAVINE.start_point) == RAVINE.chance
    assert RAVINE.value(*RAVINE.minimum) == 0
    assert RAVINE.gradient(-7, 2) == (-0.7, 4.0)
    assert RAVINE.gradient(*RAVINE.minimum) == (0, 0)


def test_the_gradient_is_the_central_difference():
    # Of a quadratic the central difference is exact but for rounding: 4 roundings of f < 20, over 2 h.
    h = 2.0**-10
    x, y = np.random.Generator(np.random.PCG64(1)).uniform(-4, 4, (2, 50))
    dx, dy = RAVINE.gradient(x, y)
    tolerance = 4 * 2**-53 * 20 / (2 * h)
    assert np.abs((RAVINE.value(x + h, y) - RAVINE.value(x - h, y)) / (2 * h) - dx).max() < tolerance
    assert np.abs((RAVINE.value(x, y + h) - RAVINE.value(x, y - h)) / (2 * h) - dy).max() < tolerance


def test_far_away_it_is_infinite_without_a_warning():
    assert RAVINE.value(1e200, 0) == RAVINE.value(0, -1e200) == np.inf
    assert RAVINE.gradient(0, -1e308) == (0, -np.inf)


def test_a_grid_broadcasts():
    xs, ys = np.linspace(-10, 10, 5), np.linspace(-5, 5, 3)
    z = RAVINE.value(xs[None, :], ys[:, None])
    dx, dy = RAVINE.gradient(xs[None, :], ys[:, None])
    assert z.shape == dx.shape == dy.shape == (3, 5)
    assert z[0, 1] == RAVINE.value(-5, -5)
    assert (dx[0, 1], dy[0, 1]) == RAVINE.gradient(-5, -5)
    assert RAVINE.value([1, 2], 3).tolist() == [9.05, 9.2]


def test_seed_0_starts_at_the_books_point_and_others_near_it():
    assert RAVINE.start(0).params == {"x": np.array([-7.0]), "y": np.array([2.0])}
    offsets = np.array([[*RAVINE.start(seed).params.values()] for seed in range(1, 401)])[:, :, 0] - RAVINE.start_point
    # 400 normal draws of sd 0.5: six standard errors of the mean and of the standard deviation
    assert np.abs(offsets.mean(axis=0)).max() < 6 * 0.5 / math.sqrt(400)
    assert np.abs(offsets.std(axis=0) - 0.5).max() < 6 * 0.5 / math.sqrt(800)
    assert abs(np.corrcoef(offsets.T)[0, 1]) < 6 / math.sqrt(400)


def test_all_parts_have_the_same_value():
    trial = RAVINE.start(0)
    assert set(trial.evaluate().values()) == {6.45}
    trial.params["x"] *= 2
    assert set(trial.evaluate().values()) == {4 * 49 / 20 + 4}


def sgd(w, g, s, t):
    return w - 0.95 * g


def momentum(w, g, s, t):
    s["v"] = 0.9 * s.get("v", 0) - 0.1 * g
    return w + s["v"]


def adagrad(w, g, s, t):
    s["h"] = s.get("h", 0) + g * g
    return w - 1.5 * g / (np.sqrt(s["h"]) + 1e-7)


def adam(w, g, s, t):
    s["m"] = 0.9 * s.get("m", 0) + 0.1 * g
    s["v"] = 0.999 * s.get("v", 0) + 0.001 * g * g
    return w - 0.3 * math.sqrt(1 - 0.999**t) / (1 - 0.9**t) * s["m"] / (np.sqrt(s["v"]) + 1e-7)


@pytest.mark.parametrize(
    "update, final", [(sgd, 1.33268e-2), (momentum, 4.79370e-2), (adagrad, 7.2195e-4), (adam, 1.02205e-1)]
)
def test_thirty_steps_at_the_books_rates_end_where_they_are_known_to_end(update, final):
    trial = RAVINE.start(0)
    state = {"x": {}, "y": {}}
    for t in range(1, RAVINE.epochs + 1):
        for step in trial.epoch():
            _, grads = step()
            for name, array in trial.params.items():
                array[...] = update(array, grads[name], state[name], t)
    assert trial.evaluate()["test_metric"] == pytest.approx(final, rel=1e-5)
