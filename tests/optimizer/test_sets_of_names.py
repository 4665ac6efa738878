"""One optimizer on several sets of names in turn: each counts its own steps, whatever is refused in between."""

import numpy as np
import pytest

import thalweg as tw

G = np.ones(1)


def two_networks(refused):
    opt, (a, b, c) = tw.Adam(lr=0.1), (np.ones(1) for _ in "abc")
    for _ in range(3):
        opt.update({"a": a, "b": b}, {"a": G, "b": G * 0.5})
    for _ in range(2):
        opt.update({"a": a, "c": c}, {"a": G, "c": G})
    if refused is not None:
        with pytest.raises((ValueError, tw.NonFiniteError)):
            opt.update({"a": a, "c": c}, {"a": G, "c": refused})
    opt.update({"a": a, "b": b}, {"a": G, "b": G * -3})
    return a[0], b[0], c[0], opt.t


@pytest.mark.parametrize("refused", [np.ones(2), np.array([np.nan])])
def test_a_refused_step_does_not_change_later_ones(refused):
    assert two_networks(refused) == two_networks(None)


def test_in_turn_and_each_alone():
    """What is not in the call misses the step: ten steps, of which each network has taken part in five."""
    opt, alone = tw.Adam(lr=0.1), [tw.Adam(lr=0.1), tw.Adam(lr=0.1)]
    nets, twins = ([{f"{n}{i}": np.ones(3) for i in range(2)} for n in "xy"] for _ in range(2))
    for k in range(5):
        for net, twin, own in zip(nets, twins, alone, strict=True):
            grads = {name: np.full(3, k - 1.5) for name in net}
            opt.update(net, grads)
            own.update(twin, grads)
    assert [w.tolist() for net in nets for w in net.values()] == [w.tolist() for net in twins for w in net.values()]
    assert opt.t == 10


def test_more_networks_than_are_remembered():
    opt, nets = tw.Momentum(lr=0.1), [{f"w{i}": np.ones(2)} for i in range(20)]
    for _ in range(3):
        for net in nets:
            opt.update(net, {name: np.ones(2) for name in net})
    assert len({next(iter(net.values())).tobytes() for net in nets}) == 1


def test_state_cannot_be_given_another_size():
    opt = tw.Adam()
    opt.update({"a": np.ones(300)}, {"a": np.ones(300)})
    with pytest.raises(ValueError, match="does not own its data"):
        opt.state["a"]["m"].resize(10, refcheck=False)
    opt.state["a"]["m"].shape = (2, 150)
    opt.state["a"]["m"][:] = 0.0
    assert (opt.state["a"]["m"].shape, opt.state["a"]["m"].any()) == ((300,), False)


def test_a_whole_number_that_no_float_holds_stays():
    params = {"x": 2**53 + 1, "y": 1.0}
    tw.SGD(lr=0.5, groups={"x": None}).update(params, {"x": None, "y": 1.0})
    assert params == {"x": 2**53 + 1, "y": 0.5}


@pytest.mark.parametrize("returned", [{"w": G}, 1.0, None, (1.0, {"w": G}, None, 2)])
def test_a_closure_that_returns_something_else(returned):
    with pytest.raises(TypeError, match=r"a closure returns \(value, grads\)"):
        tw.SGD().update({"w": np.ones(1)}, closure=lambda params: returned)


def test_a_class_is_no_schedule():
    for given in (tw.schedules.cosine, int, complex):
        with pytest.raises(TypeError, match="lr is the class"):
            tw.SGD(lr=given)


def test_one_schedule_that_fails_hides_no_other_number():
    opt = tw.Adam(beta1=lambda t: 1 / (t - 1))
    assert opt.lr == 0.001
    with pytest.raises(ZeroDivisionError):
        _ = opt.beta1
