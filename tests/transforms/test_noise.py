"""`noise`: how its draws are distributed, and what they depend on."""

from __future__ import annotations

import numpy as np
import pytest

import thalweg as tw

pytestmark = pytest.mark.usefixtures("meaning")
N = 60_000


def steps(t=1, seed=0, name="w", dtype="float64", eta=1.0, gamma=0.0, w=None, others=()):
    """The noise of each step: what the parameters lose with a gradient of zero and lr = 1."""
    opt = tw.chain(tw.noise(eta, gamma, seed), tw.SGD(lr=1.0))
    w = np.zeros(N, dtype) if w is None else w
    params = {other: np.zeros(3) for other in others} | {name: w}
    found = []
    for _ in range(t):
        for x in params.values():
            x[...] = 0
        opt.update(params, {key: np.zeros(x.shape, x.dtype) for key, x in params.items()})
        found.append(-w.copy())
    return found


def correlation(a, b):
    return abs(np.mean(a * b) / np.sqrt(np.mean(a * a) * np.mean(b * b)))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_mean_variance_and_shape(dtype):
    """Neelakantan et al. 2015: normal, of variance eta / (1 + t)**gamma. Limits are five standard deviations."""
    for t, x in enumerate(steps(3, dtype=dtype, eta=0.3, gamma=0.7), 1):
        z = np.asarray(x, np.float64) / np.sqrt(0.3 / (1 + t) ** 0.7)
        assert x.dtype == dtype
        assert abs(z.mean()) < 5 / np.sqrt(N)
        assert abs(z.var() - 1) < 5 * np.sqrt(2 / N)
        assert abs(np.mean(z**3)) < 5 * np.sqrt(15 / N)
        assert abs(np.mean(z**4) - 3) < 5 * np.sqrt(96 / N)
        # A normal number is within one deviation with probability 0.6827.
        assert abs(np.mean(np.abs(z) < 1) - 0.682689) < 5 * np.sqrt(0.2166 / N)
        assert correlation(z[1:], z[:-1]) < 5 / np.sqrt(N)


def test_steps_names_seeds_and_links_are_independent():
    first, second = steps(2)
    other_name, other_seed = steps(name="v")[0], steps(seed=1)[0]
    samples = [first, second, other_name, other_seed]
    for i, a in enumerate(samples):
        for b in samples[:i]:
            assert correlation(a, b) < 5 / np.sqrt(N)


def test_two_links_of_one_chain_draw_their_own_numbers():
    """The variance of a sum of two independent draws is the sum of theirs; of one draw taken twice, twice as much."""
    opt = tw.chain(tw.noise(1.0, 0.0), tw.SGD(lr=1.0), tw.noise(1.0, 0.0))
    params = {"w": np.zeros(N)}
    opt.update(params, {"w": np.zeros(N)})
    assert abs(params["w"].var() / 2 - 1) < 5 * np.sqrt(2 / N)


def test_the_same_again_whatever_else_there_is():
    """Nothing but seed, step and name counts: not the layout, not the other parameters, not an earlier optimizer."""
    wanted = steps(2, w=np.zeros((30, 20)))
    views = {
        "again": np.zeros((30, 20)),
        "columns": np.zeros((30, 20), order="F"),
        "strided": np.zeros((60, 40))[::2, ::2],
        "backwards": np.zeros((30, 20))[::-1],
    }
    for name, w in views.items():
        for a, b in zip(steps(2, w=w), wanted, strict=True):
            assert (a == b).all(), name
    for a, b in zip(steps(2, w=np.zeros((30, 20)), others=("a", "z")), wanted, strict=True):
        assert (a == b).all()
    before = np.random.get_state()[1].copy()  # noqa: NPY002 - the caller's own, which is left alone
    steps()
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002


def test_resuming_draws_what_would_have_been_drawn():
    make = lambda: tw.chain(tw.noise(seed=4), tw.Adam(lr=0.1), tw.noise(0.1, seed=5))  # noqa: E731
    opt, params = make(), {"w": np.ones(7)}
    for _ in range(3):
        opt.update(params, {"w": np.ones(7)})
    other, again = make(), {"w": params["w"].copy()}
    other.load_state_dict(opt.state_dict())
    for _ in range(3):
        opt.update(params, {"w": np.ones(7)})
        other.update(again, {"w": np.ones(7)})
    assert params["w"].tobytes() == again["w"].tobytes()


def test_a_step_left_out_draws_again_the_same():
    opt = tw.chain(tw.noise(1.0, 0.0), tw.SGD(lr=1.0, nonfinite="skip"))
    params = {"w": np.zeros(5)}
    opt.update(params, {"w": np.full(5, np.nan)})
    assert opt.skipped == 1
    opt.update(params, {"w": np.zeros(5)})
    other, twin = tw.chain(tw.noise(1.0, 0.0), tw.SGD(lr=1.0)), {"w": np.zeros(5)}
    other.update(twin, {"w": np.zeros(5)})
    assert params["w"].tolist() == twin["w"].tolist()


def test_each_gradient_that_is_gathered_has_a_draw_of_its_own():
    """The mean of three has a third of the variance."""
    opt = tw.chain(tw.noise(1.0, 0.0), tw.accumulate(3), tw.SGD(lr=1.0))
    params = {"w": np.zeros(N)}
    for _ in range(2):
        params["w"][...] = 0
        for _ in range(3):
            opt.update(params, {"w": np.zeros(N)})
        assert abs(3 * params["w"].var() - 1) < 5 * np.sqrt(2 / N)


def test_draws_are_no_state():
    opt = tw.chain(tw.noise(), tw.SGD())
    opt.update({"w": np.zeros(3)}, {"w": np.zeros(3)})
    assert list(opt.state["w"]) == []
    assert not any("draw" in key for key in opt.state_dict())


@pytest.mark.parametrize("seed", [-1, 0.5, "0", None, True, 1j, np.ones(2), [1]])
def test_a_seed_is_a_whole_number(seed):
    with pytest.raises(ValueError, match=r"noise: seed = .* whole number"):
        tw.noise(seed=seed)


def test_a_seed_may_be_a_number_of_numpy():
    assert repr(tw.noise(seed=np.int64(3))) == repr(tw.noise(seed=3))
