"""Slots whose rule declares a range: a checkpoint is held against it."""

from __future__ import annotations

import numpy as np
import pytest

import thalweg as tw
from thalweg.checkpoint import CheckpointError

RANGED = tw.rule(
    "def ranged(w, g, a, n, d, *, lr=0.1):\n    a = 0.5 * a + 0.25\n    n = 0.5 * n + 0.25\n    d = 0.5 * d + 0.25\n"
    "    w = w - lr * n * d * a * g\n    return w, a, n, d",
    state={"a": tw.full(0.5), "n": tw.number(0.5), "d": tw.shared(0.5)},
    ranges={"a": "(0, 1)", "n": "(0, 1]", "d": "[0, 1)"},
)


@pytest.mark.parametrize(
    "where, legal, illegal",
    [
        (("parameters", "w", "slots", "a"), [5e-324, 0.5, np.nan], [0.0, -1.0, 1.0, 2.0, np.inf, -np.inf]),
        (("parameters", "w", "slots", "n"), [5e-324, 1.0, float("nan")], [0.0, -1.0, 1.5, float("inf")]),
        (("shared", "d"), [0.0, 0.5, float("nan")], [-1.0, 1.0, 1.5, float("inf")]),
    ],
)
def test_slots_are_held_against_the_ranges_that_their_rule_declares(where, legal, illegal):
    opt = tw.Optimizer(RANGED)
    w = np.ones(3)
    opt.update(w, np.ones(3))
    for value in (*legal, *illegal):
        new = np.array([0.5, value, 0.5]) if where[-1] == "a" else value
        state = opt.state_dict()
        place = state
        for key in where[:-1]:
            place = place[key]
        place[where[-1]] = new
        other = tw.Optimizer(RANGED)
        if value in legal or value != value:  # noqa: PLR0124 - NaN, which steps may end at
            other.load_state_dict(state)
            assert other.t == 1
        else:
            with pytest.raises(CheckpointError, match=rf"{where[-1]} holds .*legal is .*{where[-1]}"):
                other.load_state_dict(state)
            assert other.t == 0
