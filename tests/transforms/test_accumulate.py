"""`accumulate`: what counts as a step, what is gathered, and what may happen within a window."""

from __future__ import annotations

import numpy as np
import pytest

import thalweg as tw
from tests.transforms.chains import gradients, start

pytestmark = pytest.mark.usefixtures("meaning")


def one(x=1.0, n=2):
    return {"w": np.full(n, x)}


def test_steps_and_gathered_gradients_are_counted():
    opt, params = tw.chain(tw.accumulate(3), tw.SGD(lr=1.0)), one(0.0)
    seen = []
    for x in (1.0, 2.0, 6.0, -3.0, 0.0):
        opt.update(params, one(x))
        seen.append((opt.t, opt.gathered, float(params["w"][0]), float(opt.state["w"]["accumulate_gathered"][0])))
    assert seen == [(0, 1, 0, 1), (0, 2, 0, 3), (1, 0, -3, 0), (1, 1, -3, -3), (1, 2, -3, -3)]


def test_schedules_and_corrections_follow_steps():
    """Adam's first step is lr * sign(g) at t = 1, whatever was gathered before; the rate is that of step 1, then 2."""
    asked = []

    def lr(t):
        asked.append(t)
        return 0.25 / t

    opt, params = tw.chain(tw.accumulate(2), tw.Adam(lr=lr, eps=1e-12, convention="paper")), one(0.0)
    path = []
    for _ in range(4):
        opt.update(params, one())
        path.append(float(params["w"][0]))
    assert path == pytest.approx([0, -0.25, -0.25, -0.375], rel=1e-9)
    assert set(asked) == {1, 2}


def test_links_behind_the_rule_act_at_steps_only():
    opt = tw.chain(
        tw.accumulate(2), tw.SGD(lr=1.0), tw.decoupled_decay(0.5, "absolute"), tw.lookahead(2, 0.5), tw.polyak()
    )
    params = {"w": np.array([8.0])}
    path = []
    for _ in range(4):
        opt.update(params, one(2.0, 1))
        path.append(float(params["w"][0]))
    # 8 / 2 - 2 = 2; then 2 / 2 - 2 = -1, and half of the way from 8 to -1.
    assert path == [8, 2, 2, 3.5]
    assert opt.state["w"]["polyak_average"].tolist() == [(2 + 3.5) / 2]


def test_a_missing_gradient_is_zero_in_the_mean():
    opt, params = tw.chain(tw.accumulate(4), tw.SGD(lr=1.0)), {name: np.zeros(1) for name in "abc"}
    given = [(4, None, None), (None, 8, None), (4, None, None), (None, None, None)]
    for row in given:
        opt.update(
            params, {name: None if x is None else np.array([float(x)]) for name, x in zip("abc", row, strict=True)}
        )
    assert {name: float(w[0]) for name, w in params.items()} == {"a": -2, "b": -2, "c": 0}
    assert opt.t == 1


def test_a_name_that_joins_late_counts_its_own_steps():
    """`late` sees its first gradient in the second half of the second window; its own step is the first then."""
    make = lambda: tw.Adam(lr=0.1, eps=1e-12, convention="paper")  # noqa: E731
    opt, params = tw.chain(tw.accumulate(2), make()), {"w": np.zeros(1), "late": np.zeros(1)}
    for late in (None, None, None, 6.0):
        opt.update(params, {"w": np.ones(1), "late": None if late is None else np.array([late])})
    assert opt.t == 2
    assert params["late"] == pytest.approx(-0.1, rel=1e-9)
    other, alone = make(), {"late": np.zeros(1)}
    other.update(alone, {"late": np.array([3.0])})
    assert alone["late"].tolist() == params["late"].tolist()


def test_a_window_without_any_gradient_of_a_name_is_no_step_of_it():
    opt, params = tw.chain(tw.accumulate(2), tw.Momentum(lr=1.0, momentum=0.5)), {"a": np.zeros(1), "b": np.zeros(1)}
    for b in (1.0, 1.0, None, None, None, 0.0):
        opt.update(params, {"a": np.ones(1), "b": None if b is None else np.array([b])})
    # The velocity of b is -1, rests for a window, and is -0.5 in the third.
    assert params["b"].tolist() == [-1.5]
    assert opt.t == 3


@pytest.mark.parametrize("bad", [0, 1, 2, 3])
def test_a_gradient_that_is_left_out_makes_the_window_longer(bad):
    opt, params = tw.chain(tw.accumulate(3), tw.SGD(lr=1.0, nonfinite="skip")), one(0.0)
    calls = [3.0, 6.0, 9.0]
    calls.insert(bad, np.nan)
    for x in calls:
        opt.update(params, one(x))
    assert (opt.t, opt.gathered, opt.skipped) == ((1, 0, 1))
    assert params["w"].tolist() == [-6, -6]


def test_an_error_within_a_window_changes_nothing():
    opt, params = tw.chain(tw.clip_value(5.0), tw.accumulate(2), tw.Adam()), one(0.0)
    opt.update(params, one(3.0))
    before = opt.state_dict()
    for grads in ({"w": np.array([np.inf, 1.0])}, {"w": np.ones(3)}, {"v": np.ones(2)}):
        with pytest.raises((ValueError, ArithmeticError)):
            opt.update(params, grads)
        assert repr(opt.state_dict()) == repr(before)
        assert params["w"].tolist() == [0, 0]


def test_a_gathered_infinity_does_not_stay():
    """What was gathered starts at zero again, also where it was not finite."""
    opt, params = tw.chain(tw.accumulate(2), tw.SGD(lr=1.0, nonfinite="allow")), one(0.0)
    for x in (np.inf, 1.0):
        opt.update(params, one(x))
    params["w"][...] = 0
    for x in (1.0, 3.0):
        opt.update(params, one(x))
    assert params["w"].tolist() == [-2, -2]


CHAINS = {
    "plain": lambda: tw.chain(tw.accumulate(3), tw.Adam(lr=0.1)),
    "clipped before": lambda: tw.chain(tw.clip_global_norm(0.5), tw.accumulate(3), tw.Momentum(lr=0.1), tw.ema(0.5)),
    "clipped behind": lambda: tw.chain(tw.accumulate(3), tw.clip_global_norm(0.5), tw.Adam(lr=0.1), tw.lookahead(2)),
    "noisy": lambda: tw.chain(
        tw.noise(), tw.accumulate(3), tw.centralize(), tw.SGD(lr=0.1), tw.noise(seed=1), tw.swa(2)
    ),
}


@pytest.mark.parametrize("cut", [1, 2, 3, 4, 7, 8])
@pytest.mark.parametrize("chain", CHAINS)
def test_resuming_in_the_middle_of_a_window(chain, cut):
    given, whole, params = gradients(10), CHAINS[chain](), start()
    halves = start()
    first = CHAINS[chain]()
    for grads in given:
        whole.update(params, grads)
    for grads in given[:cut]:
        first.update(halves, grads)
    second = CHAINS[chain]()
    second.load_state_dict(first.state_dict())
    assert (second.t, second.gathered) == (cut // 3, cut % 3)
    for grads in given[cut:]:
        second.update(halves, grads)
    assert {k: w.tobytes() for k, w in halves.items()} == {k: w.tobytes() for k, w in params.items()}


def test_every_may_be_a_schedule_and_is_asked_for_the_step_to_come():
    opt, params = tw.chain(tw.accumulate(lambda t: t), tw.SGD(lr=1.0)), one(0.0)
    seen = []
    for x in (5.0, 1.0, 3.0, 4.0, 5.0, 9.0):
        opt.update(params, one(x))
        seen.append((opt.t, float(params["w"][0])))
    assert seen == [(1, -5), (1, -5), (2, -7), (2, -7), (2, -7), (3, -13)]


def test_every_set_within_a_window_still_gives_the_mean_of_what_was_gathered():
    opt, params = tw.chain(tw.accumulate(4), tw.SGD(lr=1.0)), one(0.0)
    for _ in range(3):
        opt.update(params, one())
    opt.every = 2
    opt.update(params, one())
    assert (opt.t, params["w"].tolist()) == (1, [-1, -1])


def test_groups_cannot_have_windows_of_their_own():
    with pytest.raises(ValueError, match=r"every"):
        tw.chain(tw.accumulate(4), tw.SGD(), groups={"b": dict(every=2)})


def test_a_frozen_parameter_gathers_nothing():
    opt = tw.chain(tw.accumulate(2), tw.SGD(lr=1.0), groups={"still": None})
    params = {"w": np.zeros(1), "still": np.zeros(1)}
    for _ in range(2):
        opt.update(params, {"w": np.ones(1), "still": np.ones(1)})
    assert (params["w"].tolist(), params["still"].tolist(), list(opt.state)) == ([-1], [0], ["w"])


def test_numbers_as_parameters():
    opt, params = tw.chain(tw.accumulate(2), tw.SGD(lr=1.0)), {"x": 1.0, "y": [2]}
    for g in (1.0, 3.0):
        opt.update(params, {"x": g, "y": [g]})
    assert params == {"x": -1.0, "y": [0.0]}
