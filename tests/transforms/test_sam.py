"""`sam`: two gradients a step, and parameters that are back whatever happens."""

from __future__ import annotations

import numpy as np
import pytest

import thalweg as tw
from tests.rules.sequences import copied, distance
from tests.transforms.chains import DTYPES, TOLERANCE, start

pytestmark = pytest.mark.usefixtures("meaning")


def quartic(params):
    value = sum(float(np.sum(w**4 / 4 - 0.7 * w**2)) for w in params.values())
    return value, {name: np.asarray(w**3 - 1.4 * w, w.dtype) for name, w in params.items()}


@pytest.mark.parametrize("adaptive", [False, True])
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_step_of_the_papers(dtype, adaptive):
    """Foret et al. 2021, eq. (2) and (3); Kwon et al. 2021, eq. (8) with T = |w|."""
    rho, lr = 0.21, 0.0625
    opt, params, theirs = tw.chain(tw.sam(rho, adaptive), tw.SGD(lr=lr)), start(dtype), start(dtype)
    path, other = [], []
    for _ in range(10):
        opt.update(params, closure=quartic)
        _, g = quartic(theirs)
        scaled = {name: (np.abs(w) if adaptive else 1) * g[name] for name, w in theirs.items()}
        norm = np.sqrt(sum(float(np.sum(np.asarray(x, float) ** 2)) for x in scaled.values()))
        uphill = {
            name: w + np.asarray(rho / norm * (np.abs(w) if adaptive else 1) * scaled[name], dtype)
            for name, w in theirs.items()
        }
        _, second = quartic(uphill)
        theirs = {name: w - np.asarray(lr * second[name], dtype) for name, w in theirs.items()}
        path.append(copied(params))
        other.append(copied(theirs))
    assert distance(path, other) <= TOLERANCE[dtype]


class Watched:
    """A closure that notes the points at which it is called."""

    def __init__(self, f=quartic, fails_at=None, error=None):
        self.f, self.points, self.fails_at, self.error = f, [], fails_at, error

    def __call__(self, params):
        self.points.append(copied(params) if isinstance(params, dict) else params)
        if len(self.points) == self.fails_at:
            raise self.error
        return self.f(params)


def test_the_closure_is_called_twice_and_its_first_value_is_returned():
    opt, params = tw.chain(tw.sam(0.5), tw.SGD(lr=0.1)), start()
    before, closure = copied(params), Watched()
    value = opt.update(params, closure=closure)
    first, second = closure.points
    assert value == quartic(before)[0]
    assert all((first[name] == w).all() for name, w in before.items())
    moved = np.sqrt(sum(float(np.sum((second[name] - w) ** 2)) for name, w in before.items()))
    assert moved == pytest.approx(0.5, rel=1e-12)
    assert opt.t == 1


@pytest.mark.parametrize("error", [ValueError("closure"), KeyboardInterrupt(), SystemExit(3)])
@pytest.mark.parametrize("call", [1, 2])
def test_after_an_error_in_the_closure_everything_is_as_it_was(call, error):
    opt, params = tw.chain(tw.sam(0.5), tw.Adam(lr=0.1)), start() | {"F": np.asfortranarray(np.ones((2, 3)))}
    opt.update(params, closure=quartic)
    before, state = copied(params), {key: np.copy(x) for key, x in opt.state["W1"].items()}
    with pytest.raises(type(error)):
        opt.update(params, closure=Watched(fails_at=call, error=error))
    assert all(params[name].tobytes() == w.tobytes() for name, w in before.items())
    assert all((opt.state["W1"][key] == x).all() for key, x in state.items())
    assert opt.t == 1
    opt.update(params, closure=quartic)
    assert opt.t == 2


def test_second_gradients_that_do_not_fit_change_nothing():
    opt, params, calls = tw.chain(tw.sam(0.5), tw.SGD(lr=0.1)), {"w": np.ones(3)}, []

    def closure(p):
        calls.append(1)
        return 0.0, {"w": np.ones(3 if len(calls) == 1 else 4)}

    with pytest.raises(ValueError, match=r"'w'"):
        opt.update(params, closure=closure)
    assert params["w"].tolist() == [1, 1, 1]


def test_frozen_parameters_do_not_move_and_do_not_count():
    opt = tw.chain(tw.sam(0.5), tw.SGD(lr=0.1), groups={"still": None})
    params, closure = {"w": np.array([1.0]), "still": np.array([7.0])}, Watched()
    opt.update(params, closure=closure)
    assert closure.points[1]["still"].tolist() == params["still"].tolist() == [7]
    assert abs(closure.points[1]["w"][0] - 1) == pytest.approx(0.5, rel=1e-15)


def test_a_missing_gradient_leaves_a_parameter_alone_at_the_second_point_too():
    params, points = {"a": np.ones(2), "b": np.ones(2)}, []

    def closure(p):
        points.append(copied(p))
        return 0.0, {"a": np.ones(2), "b": None}

    tw.chain(tw.sam(0.5), tw.SGD(lr=0.1)).update(params, closure=closure)
    assert points[1]["b"].tolist() == params["b"].tolist() == [1, 1]


def test_numbers_lists_and_nested_dicts():
    """f = x**2 / 2 + y**2 in two numbers: the gradient is (x, 2 y), at the second point that of the point."""
    points = []

    def closure(p):
        points.append((p["x"], p["deep"][0]))
        return 0.0, {"x": p["x"], "deep": [2 * p["deep"][0]]}

    params = {"x": 3.0, "deep": [2]}
    tw.chain(tw.sam(0.5), tw.SGD(lr=0.5)).update(params, closure=closure)
    x, y = 3 + 0.5 * 3 / 5, 2 + 0.5 * 4 / 5
    assert points[0] == (3.0, 2)
    assert points[1] == pytest.approx((x, y), rel=1e-15)
    assert (params["x"], params["deep"][0]) == pytest.approx((3 - 0.5 * x, 2 - y), rel=1e-15)


def test_gradients_that_are_the_parameters_themselves():
    """f = w**2 / 2: its gradient is w, and a closure may return that very array."""
    params = {"w": np.array([1.0])}
    tw.chain(tw.sam(0.5), tw.SGD(lr=1.0)).update(params, closure=lambda p: (0.0, {"w": p["w"]}))
    assert params["w"].tolist() == [-0.5]


def test_gradients_that_are_zero_are_taken_twice_at_the_same_point():
    opt, params, closure = tw.chain(tw.sam(), tw.SGD()), {"w": np.ones(2)}, Watched(lambda p: (1.0, {"w": np.zeros(2)}))
    opt.update(params, closure=closure)
    assert [p["w"].tolist() for p in closure.points] == [[1, 1], [1, 1]]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_no_loss_is_asked_for_at_parameters_that_are_no_numbers(bad):
    opt, params = tw.chain(tw.sam(), tw.SGD()), {"w": np.ones(2)}
    closure = Watched(lambda p: (1.0, {"w": np.array([1.0, bad])}))
    with pytest.raises(tw.NonFiniteError, match=r"'w'"):
        opt.update(params, closure=closure)
    assert all(np.isfinite(p["w"]).all() for p in closure.points)
    assert params["w"].tolist() == [1, 1]


def test_half_precision_moves_and_comes_back_to_the_bit():
    params = {"w": np.array([1.0, -0.3, 65000.0], np.float16)}
    before, closure = copied(params), Watched(lambda p: (0.0, {"w": np.zeros(3, np.float16) + np.float16(0.01)}))
    tw.chain(tw.sam(0.05), tw.SGD(lr=0.0)).update(params, closure=closure)
    assert params["w"].tobytes() == before["w"].tobytes()
    assert closure.points[1]["w"].tolist() != before["w"].tolist()


def test_it_may_stand_anywhere_and_once():
    results = []
    for links in ((tw.sam(0.3), tw.clip_global_norm(0.5), tw.Adam(lr=0.1), tw.ema(0.5)),
                  (tw.clip_global_norm(0.5), tw.Adam(lr=0.1), tw.ema(0.5), tw.sam(0.3))):  # fmt: skip
        opt, params = tw.chain(*links), start()
        for _ in range(3):
            opt.update(params, closure=quartic)
        results.append({name: w.tobytes() for name, w in params.items()})
    assert results[0] == results[1]
    with pytest.raises(ValueError, match=r"sam stands 2 times"):
        tw.chain(tw.sam(), tw.SGD(), tw.sam())


def test_without_a_closure_it_says_what_to_give():
    opt = tw.chain(tw.sam(), tw.SGD())
    with pytest.raises(TypeError, match=r"closure"):
        opt.update({"w": np.ones(1)}, {"w": np.ones(1)})


def test_no_step_inside_of_its_closure():
    opt, params = tw.chain(tw.sam(), tw.SGD()), {"w": np.ones(1)}

    def closure(p):
        opt.update(p, closure=quartic)

    with pytest.raises(RuntimeError, match=r"closure"):
        opt.update(params, closure=closure)
    assert params["w"].tolist() == [1]
