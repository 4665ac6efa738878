"""The book's four optimizers on its ravine: the trajectories that its code draws, and where they end."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import thalweg as tw

RECORDED = json.loads((Path(__file__).parents[1] / "data" / "book_trajectories.json").read_text("utf-8"))["cases"]
# f after 30 steps at the rates of the book's script
ENDS = {
    "sgd": (dict(lr=0.95), 1.33268e-2),
    "momentum": (dict(lr=0.1), 4.79370e-2),
    "adagrad": (dict(lr=1.5), 7.2195e-4),
    "adam": (dict(lr=0.3), 1.02205e-1),
}


def descend(opt, steps, *, shape=(), dtype=np.float64):
    """Return the points of f(x, y) = x**2 / 20 + y**2 from (-7, 2)."""
    params = {"x": np.full(shape, -7.0, dtype), "y": np.full(shape, 2.0, dtype)}
    points = [[float(w) for w in params.values()]]
    for _ in range(steps):
        opt.update(params, {"x": np.asarray(params["x"] / 10), "y": np.asarray(2 * params["y"])})
        points.append([float(w.ravel()[0]) for w in params.values()])
    return points


@pytest.mark.parametrize("name", ENDS)
def test_the_value_after_thirty_steps(name):
    numbers, expected = ENDS[name]
    x, y = descend(tw.Optimizer(name, **numbers), 30)[-1]
    assert x**2 / 20 + y**2 == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("name", RECORDED)
def test_the_whole_trajectory(name):
    """The recorded code works on Python floats, whose powers may be rounded otherwise than products."""
    case = RECORDED[name]
    points = descend(tw.Optimizer(name, **case["numbers"]), 30)
    assert len(case["points"]) == 31
    assert np.abs(np.array(points) - case["points"]).max() <= 1e-14


def test_the_recorded_rates_are_the_books():
    assert RECORDED.keys() == ENDS.keys()
    for name, (numbers, _) in ENDS.items():
        assert numbers.items() <= RECORDED[name]["numbers"].items()


def test_float32_takes_the_same_way():
    for name, (numbers, _) in ENDS.items():
        points = descend(tw.Optimizer(name, **numbers), 30, dtype=np.float32)
        assert np.abs(np.array(points) - RECORDED[name]["points"]).max() < 1e-4
