"""LBFGS against torch.optim.LBFGS itself, in float64, call by call.

Both get values and gradients from the same NumPy function, so that what differs is the rounding of dot products and
sums. How far such a difference grows is a property of the path: along a valley it grows by orders of magnitude within a
few iterations, for torch as for anybody. So torch is run again from a start that is one rounding away, and the farthest
that it comes from itself is what a rounding does. Each evaluation brings roundings of that size, and those of n
evaluations add up like a walk at random: the tolerance is sqrt(n) of it, times SURE. Where that is more than 1e-9 of
the largest parameter, the path has no digits left to compare.
"""

from __future__ import annotations

import numpy as np
import pytest

import thalweg as tw
from tests.quasi_newton.functions import HARD, LINES, PROBLEMS, ragged, rng

torch = pytest.importorskip("torch", reason="oracle torch is not installed")

CALLS = 15
EPS = np.finfo(float).eps
WORST = 1e-9
SURE = 10  # one rounding for the worst of all, and several in an evaluation
ARGUMENTS = {
    "defaults": dict(),
    "numbers": dict(lr=0.7, max_iter=4, max_eval=7, history_size=3, tolerance_grad=1e-5, tolerance_change=1e-7),
    "fixed": dict(line_search=None, lr=0.5, max_iter=12),
    "fixed numbers": dict(
        line_search=None, lr=0.8, max_iter=5, max_eval=4, history_size=4, tolerance_grad=1e-3, tolerance_change=1e-5
    ),
}
MORE = {
    "long": dict(lr=1.3, max_iter=9, max_eval=30, history_size=5, tolerance_grad=0.0, tolerance_change=1e-6),
    "one iteration": dict(max_iter=1, max_eval=26, history_size=2),
    "one evaluation": dict(max_iter=1),
    "two evaluations": dict(max_eval=2, lr=0.9),
    "fixed long": dict(line_search=None, lr=0.3, max_iter=30, max_eval=12, history_size=1),
}
ROWS = [(problem, name, ARGUMENTS[name]) for problem in PROBLEMS for name in ("defaults", "numbers", "fixed numbers")]
ROWS += [(problem, "fixed", ARGUMENTS["fixed"]) for problem in ("rosenbrock in 2", "logistic")]
ROWS += [("rosenbrock in 10", name, arguments) for name, arguments in MORE.items()]


class Theirs:
    """torch's optimizer on a list of arrays."""

    def __init__(self, f, start, arguments):
        given = dict(line_search="strong_wolfe") | arguments
        given["line_search_fn"] = given.pop("line_search")
        self.w = [torch.tensor(np.array(x), requires_grad=True) for x in start]
        self.opt, self.f, self.calls = torch.optim.LBFGS(self.w, **given), f, 0

    def step(self):
        def closure():
            self.calls += 1
            value, gradients = self.f([w.detach().numpy().copy() for w in self.w])
            for w, g in zip(self.w, gradients, strict=True):
                w.grad = None if g is None else torch.tensor(g)
            return torch.tensor(value, dtype=torch.float64)

        return float(self.opt.step(closure))

    @property
    def arrays(self):
        return [w.detach().numpy() for w in self.w]

    @property
    def state(self):
        return self.opt.state[self.w[0]]

    def follow(self, other, seed):
        """Be where another one is, but for a rounding of each parameter."""
        self.opt.load_state_dict(other.opt.state_dict())
        if "prev_flat_grad" in self.state:  # the one tensor of the state that torch writes to
            self.state["prev_flat_grad"] = self.state["prev_flat_grad"].clone()
        with torch.no_grad():
            for i, (w, x) in enumerate(zip(self.w, other.arrays, strict=True)):
                sign = rng(seed, i).choice([-EPS, EPS], x.shape)
                w.copy_(torch.tensor(x * (1 + sign) + (x == 0) * sign))


def follow(opt, params, theirs):
    """Let ours be where torch is, in state and parameters."""
    for w, x in zip(params, theirs.arrays, strict=True):
        w[...] = x
    there = theirs.state
    if "d" not in there:
        return
    state = opt.state_dict()
    state["counts"] = {"t": opt.t, "n_iter": there["n_iter"], "func_evals": there["func_evals"]}
    state["shared"] = {"step": float(there["t"])}
    vectors = {
        "gradient": there["prev_flat_grad"].numpy(), "direction": there["d"].numpy(),
        "s": np.array([s.numpy() for s in there["old_stps"]]), "y": np.array([y.numpy() for y in there["old_dirs"]]),
    }  # fmt: skip
    start = 0
    for i, x in enumerate(theirs.arrays):
        slots = {}
        for slot, vector in vectors.items():
            front = (len(there["old_dirs"]),) if slot in "sy" else ()
            whole = vector.reshape(*front, -1) if vector.size else np.zeros((0, start + x.size))
            slots[slot] = whole[..., start : start + x.size].reshape(front + x.shape).copy()
        own = {"shape": list(x.shape), "dtype": "float64", "order": "C", "missed": 0, "slots": slots}
        state["parameters"][str(i)] = own
        start += x.size
    opt.load_state_dict(state)


def distance(a, b):
    """Return the largest difference, of the largest parameter."""
    most = max(np.abs(x).max(initial=0) for x in b)
    return max(np.abs(x - y).max(initial=0) for x, y in zip(a, b, strict=True)) / most


def compared(f, start, arguments, *, each):
    """Compare call by call; return how many were compared. each: whether each begins where torch's does."""
    theirs, nearby = Theirs(f, start, arguments), Theirs(f, start, arguments)
    nearby.follow(theirs, 0)
    opt, params, spread, evaluations = tw.LBFGS(**arguments), [x.copy() for x in start], EPS, 0
    for call in range(CALLS):
        if each and call:
            follow(opt, params, theirs)
            nearby.follow(theirs, call)
            spread, evaluations = EPS, theirs.calls
        theirs.step()
        nearby.step()
        spread = max(spread, distance(nearby.arrays, theirs.arrays))
        tolerance = SURE * (theirs.calls - evaluations) ** 0.5 * spread
        if tolerance > WORST:
            return call
        before = f([x.copy() for x in params])[0]
        assert opt.update(params, closure=f) == before
        assert distance(params, theirs.arrays) <= tolerance, call
        assert (opt.n_iter, opt.func_evals) == (theirs.state["n_iter"], theirs.state["func_evals"]), call
        assert opt.t == call + 1
    return CALLS


def over_lists(f):
    """Return a function of one vector as one of a list with one array."""

    def g(arrays):
        value, gradient = f(arrays[0])
        return value, [gradient]

    return g


def tried(line, arguments):
    """Return where torch and where ours evaluate a function of one number in one call, and where they end."""
    points = [], []

    def asked(k):
        def f(arrays):
            points[k].append(float(arrays[0][0]))
            value, slope = line(points[k][-1])
            return value, [np.array([slope])]

        return f

    theirs, w = Theirs(asked(0), [np.zeros(1)], arguments), np.zeros(1)
    theirs.step()
    tw.LBFGS(**arguments).update([w], closure=asked(1))
    return [*points[0], theirs.arrays[0][0]], [*points[1], w[0]]


@pytest.mark.parametrize("most", [3, 26])
@pytest.mark.parametrize("lr", [0.01, 0.7, 1.0, 10.0])
@pytest.mark.parametrize("name", HARD)
def test_a_line_search_tries_what_torch_tries(name, lr, most):
    """On functions of one number nothing is added up: all trials are equal but for the roundings of the cubic."""
    theirs, ours = tried(HARD[name], dict(lr=lr, max_iter=1, max_eval=most))
    assert ours == pytest.approx(theirs, rel=1e-12, abs=1e-15)


# Some as they come, and some of 1500 on which searches differ that leave out one of the conditions of torch's.
@pytest.mark.parametrize("seed", [*range(6), 91, 105, 111, 352, 376, 1212, 1389])
def test_a_search_over_a_ragged_slope_tries_what_torch_tries(seed):
    for lr in (0.05, 5.0):
        theirs, ours = tried(ragged(seed), dict(lr=lr, max_iter=1, max_eval=20))
        assert ours == pytest.approx(theirs, rel=1e-11, abs=1e-13), lr


def test_a_slope_whose_square_is_no_float():
    """Far inside a wall torch's cubic is NaN, and so is all that it tries after that; ours halves the bracket."""
    theirs, ours = tried(LINES["wall"], dict(lr=30.0, max_iter=1, max_eval=26))
    assert np.isnan(theirs[2:]).all()
    assert ours[2] == pytest.approx(15.0, rel=1e-6)
    assert 0 < ours[-1] < 1.1
    assert len(ours) < 15


def in_shapes(f, x0, *shapes):
    """Return a function of one vector as one of a list of arrays, and where to start."""
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])

    def g(arrays):
        value, gradient = f(np.concatenate([x.ravel() for x in arrays]))
        return value, [part.reshape(shape) for part, shape in zip(np.split(gradient, ends[:-1]), shapes, strict=True)]

    return g, [part.reshape(shape) for part, shape in zip(np.split(x0, ends[:-1]), shapes, strict=True)]


@pytest.mark.parametrize("problem, name, arguments", ROWS, ids=lambda x: x if isinstance(x, str) else "")
def test_every_call_ends_where_torch_does(problem, name, arguments):
    f, start, _ = PROBLEMS[problem]
    assert compared(over_lists(f), [start], arguments, each=True) == CALLS


@pytest.mark.parametrize("name", ["numbers", "fixed numbers"])
@pytest.mark.parametrize("problem", PROBLEMS)
def test_a_whole_run_is_that_of_torch_as_long_as_it_has_digits(problem, name):
    f, start, _ = PROBLEMS[problem]
    assert compared(over_lists(f), [start], ARGUMENTS[name], each=False) >= 6


@pytest.mark.parametrize("name", ["numbers", "fixed numbers"])
def test_several_tensors_at_once(name):
    f, x0, _ = PROBLEMS["rosenbrock in 10"]
    g, start = in_shapes(f, x0, (2, 2), (), (0, 3), (1, 3, 1), (2,))
    start[0] = np.asfortranarray(start[0])
    assert compared(g, start, ARGUMENTS[name], each=True) == CALLS


def test_a_tensor_without_a_gradient_stays_where_it_is():
    """torch takes None for zeros; for ours the tensor is not there. Both leave it alone."""
    f, start, _ = PROBLEMS["rosenbrock in 2"]

    def g(arrays):
        value, gradient = f(arrays[0])
        return value, [gradient, None]

    assert compared(g, [start, np.array([3.0, -1.0])], {}, each=False) == CALLS


def test_a_direction_that_is_not_gone_makes_no_pair():
    """The one difference: where a call ends for lack of descent, torch keeps the length of a step that it never took.

    If the function is another one at the next call, as on the next batch, torch makes a pair of this step and of the
    difference between the two functions; for ours nothing has moved, and there is no pair.
    """
    slopes = iter([1e-6, 1.0, 1.0])
    theirs = Theirs(lambda arrays: (0.0, [np.full(1, next(slopes))]), [np.zeros(1)], dict(line_search=None, lr=1000.0))
    theirs.step()
    assert theirs.state["t"] == 1000
    opt, params = tw.LBFGS(line_search=None, lr=1000.0), [np.zeros(1)]
    opt.update(params, closure=lambda p: (0.0, [np.full(1, 1e-6)]))
    assert (params[0][0], opt.n_iter) == (0, 1)
    state = opt.state_dict()
    assert state["shared"] == {"step": 0.0}
    opt.update(params, closure=lambda p: (0.0, [np.full(1, 1.0)]))
    assert opt.state_dict()["parameters"]["0"]["slots"]["y"].shape == (0, 1)


def test_float32_comes_as_near_to_the_minimum():
    """In float32 torch rounds dot products, which ours are not: the paths part, and what they come to is compared."""
    f, start, minimum = PROBLEMS["quadratic in 5"]

    def g(arrays):
        value, gradient = f(arrays[0].astype(np.float64))
        return value, [gradient.astype(np.float32)]

    start = start.astype(np.float32)
    theirs, opt, params = Theirs(g, [start], {}), tw.LBFGS(), [start.copy()]
    for _ in range(5):
        theirs.step()
        opt.update(params, closure=g)
    assert params[0].dtype == np.float32
    assert opt.state_dict()["parameters"]["0"]["slots"]["s"].dtype == np.float32
    best = np.abs(theirs.arrays[0] - minimum).max()
    assert np.abs(params[0] - minimum).max() <= max(2 * best, 1e-4)
