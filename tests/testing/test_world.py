"""The gradients of the check: what they have to hold so that rules can be told apart."""

from __future__ import annotations

import numpy as np
import pytest

from thalweg.testing.world import RATE_CHANGES_AT, STEPS, World


@pytest.fixture(scope="module")
def path():
    world = World()
    return [world.gradients(world.start(), t) for t in range(1, STEPS + 1)]


def test_they_span_many_decades_change_their_sign_and_hold_exact_zeros(path):
    rows = np.array([np.concatenate([g.ravel() for g in grads.values()]) for grads in path])
    sizes = np.abs(rows[rows != 0])
    assert sizes.min() < 1e-13
    assert sizes.max() > 1e2
    for column in rows.T[1:]:
        assert (column == 0).any()
        assert (column > 0).any() or not column.any()
        assert (column < 0).any() or not column.any()
    assert 0.05 < np.mean(rows == 0) < 0.3


def test_an_element_is_never_moved_and_one_late(path):
    never, late = (np.array([grads["b1"][i] for grads in path]) for i in (0, 1))
    assert not never.any()
    assert not late[: STEPS // 2 - 1].any()
    assert late[STEPS // 2 :].any()


def test_one_tensor_stays_small_for_ever(path):
    assert max(abs(grads["W2"][0, 0]) for grads in path) < 3e-12


def test_they_depend_on_the_parameters_and_are_finite_whatever_these_are():
    world = World()
    start = world.start()
    moved = {name: w + 0.1 for name, w in start.items()}
    assert (world.gradients(start, 1)["W1"] != world.gradients(moved, 1)["W1"]).any()
    lost = {name: np.full_like(w, np.nan) for name, w in start.items()}
    assert all(np.isfinite(g).all() for g in world.gradients(lost, 1).values())


def test_they_are_the_same_every_time_and_of_the_dtype_asked_for():
    for dtype in (np.float32, np.float64):
        first, again = (World(dtype).gradients(World(dtype).start(), 7) for _ in range(2))
        for name, g in first.items():
            assert g.dtype == dtype
            assert g.tobytes() == again[name].tobytes()
            assert not np.shares_memory(g, again[name])


def test_the_rate_changes_while_the_run_goes_on():
    assert 2 < RATE_CHANGES_AT < STEPS


def test_matrices_alone():
    assert {w.ndim for w in World(matrices=True).start().values()} == {2}
