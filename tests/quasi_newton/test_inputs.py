"""Containers, dtypes and layouts: what an update takes, where it writes to, and what it refuses."""

from __future__ import annotations

import functools

import ml_dtypes
import numpy as np
import pytest

import thalweg as tw
from tests.quasi_newton.functions import PROBLEMS, Counted, bits, run

F, START, MINIMUM = PROBLEMS["rosenbrock in 10"]
CALLS = 2


@functools.cache
def expected():
    """What the one vector comes to."""
    return run(F, START, CALLS)[1]["w"]


# Containers: parameters that hold START, and how to read them as one vector and to write one as gradients.
def flat(*parts):
    return np.concatenate([np.asarray(x, np.float64).ravel() for x in parts])


CONTAINERS = {
    "an array": (START.copy, lambda p: p, lambda g: g),
    "a list": (lambda: [START[:4].copy(), START[4:].copy()], lambda p: flat(*p), lambda g: [g[:4], g[4:]]),
    "a tuple": (lambda: (START[:4].copy(), START[4:].copy()), lambda p: flat(*p), lambda g: (g[:4], g[4:])),
    "a nested dict": (
        lambda: {"a": {"W": START[:6].reshape(2, 3).copy(), "b": START[6:7].copy()}, "c": [START[7:].copy()]},
        lambda p: flat(p["a"]["W"], p["a"]["b"], p["c"][0]),
        lambda g: {"a": {"W": g[:6].reshape(2, 3), "b": g[6:7]}, "c": [g[7:]]},
    ),
    "numbers": (
        lambda: {"x": float(START[0]), "y": np.float64(START[1]), "w": START[2:9].copy(), "z": np.array(START[9])},
        lambda p: flat(p["x"], p["y"], p["w"], p["z"]),
        lambda g: {"x": float(g[0]), "y": g[1], "w": g[2:9], "z": g[9]},
    ),
}
LAYOUTS = {
    "by columns": lambda: np.asfortranarray(START.reshape(2, 5)),
    "every other one": lambda: np.repeat(START, 2)[::2],
    "backwards": lambda: START[::-1].copy()[::-1],
    "not aligned": lambda: np.frombuffer(bytearray(b"x" + START.tobytes()), np.uint8)[1:].view(np.float64),
}


@pytest.mark.parametrize("kind", CONTAINERS)
def test_containers(kind):
    make, read, write = CONTAINERS[kind]
    opt, params = tw.LBFGS(), make()

    def closure(p):
        assert p is params
        value, g = F(read(p))
        return value, write(g)

    for _ in range(CALLS):
        opt.update(params, closure=closure)
    assert read(params).tolist() == expected().tolist()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(layout):
    w = LAYOUTS[layout]()

    def closure(p):
        value, g = F(p["w"].ravel())
        return value, {"w": g.reshape(w.shape)}

    opt = tw.LBFGS()
    for _ in range(CALLS):
        opt.update({"w": w}, closure=closure)
    assert w.ravel().tolist() == expected().tolist()


def test_the_value_is_that_of_the_start_and_a_float():
    opt, closure = tw.LBFGS(), Counted(lambda x: (np.float32(x @ x), 2 * x))
    value = opt.update({"w": np.array([3.0, 4.0])}, closure=closure)
    assert (value, type(value)) == (25.0, float)
    assert closure.points[0].tolist() == [3, 4]


def test_numbers_keep_their_types_and_an_int_becomes_a_float():
    params = {"a": 3, "b": np.float32(2), "c": 5}
    closure = lambda p: (  # noqa: E731
        float(p["a"] ** 2 + p["b"] ** 2), {"a": 2.0 * p["a"], "b": 2 * p["b"], "c": 0.0}
    )  # fmt: skip
    tw.LBFGS().update(params, closure=closure)
    assert [type(x) for x in params.values()] == [float, np.float32, int]
    assert abs(params["a"]) < 1e-6
    assert params["c"] == 5


def test_gradients_that_are_the_parameters_and_buffers_that_are_filled_anew():
    """f = |w|^2 / 2, whose gradient is w itself; and the gradient as the same array each time."""
    buffer, w = np.zeros(2), {"w": np.array([3.0, -4.0])}

    def filled(p):
        buffer[...] = p["w"]
        return 0.5 * float(p["w"] @ p["w"]), {"w": buffer}

    other = {"w": w["w"].copy()}
    tw.LBFGS().update(w, closure=lambda p: (0.5 * float(p["w"] @ p["w"]), {"w": p["w"]}))
    tw.LBFGS().update(other, closure=filled)
    assert bits(w) == bits(other)
    assert np.abs(w["w"]).max() < 1e-9


def test_float32_and_float64_side_by_side():
    """Vectors are of the wider dtype; each parameter moves in its own, and the function sees what it holds then."""
    params = {"a": START[:5].astype(np.float32), "b": START[5:].copy()}

    def closure(p):
        assert p["a"].dtype == np.float32
        value, g = F(flat(p["a"], p["b"]))
        return value, {"a": g[:5].astype(np.float32), "b": g[5:]}

    opt = tw.LBFGS()
    for _ in range(8):
        opt.update(params, closure=closure)
    assert opt.state_dict()["parameters"]["a"]["slots"]["s"].dtype == np.float64
    assert flat(params["a"], params["b"]) == pytest.approx(MINIMUM, abs=1e-2)


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_half_precision_is_refused(dtype):
    asked = []
    with pytest.raises(TypeError, match=r"'w' has dtype b?float16, and LBFGS works on float32 and float64.*astype"):
        tw.LBFGS().update({"w": np.ones(3, dtype)}, closure=asked.append)
    assert asked == []


@pytest.mark.parametrize(
    "params, kind, message",
    [
        ({"w": np.ones(2, int)}, TypeError, "'w' has dtype int64"),
        ({"w": [1.0, "x"]}, TypeError, "'w.1' is a str"),
        ({"w": np.broadcast_to(np.ones(1), 3)}, ValueError, "'w' overlaps itself"),
        ({"w": np.frombuffer(np.ones(2).tobytes())}, ValueError, "'w' is read-only"),
        ({1: np.ones(2)}, TypeError, "names of parameters are strings"),
        (3.0, TypeError, "params is a number"),
        (None, TypeError, "params is a dict"),
    ],
    ids=str,
)
def test_what_is_no_parameter_is_refused_before_the_function_is_asked(params, kind, message):
    asked = []
    with pytest.raises(kind, match=message):
        tw.LBFGS().update(params, closure=asked.append)
    assert asked == []


def test_two_names_over_one_memory():
    w = np.ones(4)
    closure = lambda p: (0.0, {"a": np.ones(4), "b": np.ones(2)})  # noqa: E731
    with pytest.raises(ValueError, match="'a' and 'b' lie over the same memory"):
        tw.LBFGS().update({"a": w, "b": w[:2]}, closure=closure)
    assert w.tolist() == [1, 1, 1, 1]


def test_nothing_to_do():
    """No parameters, none with a gradient, none with elements, or a gradient of zero: one evaluation, no iteration."""
    for params, grads in (
        ({}, {}),
        ({"w": np.ones(2)}, {"w": None}),
        ({"w": np.ones((0, 3))}, {"w": np.ones((0, 3))}),
        ({"w": np.ones(2)}, {"w": np.zeros(2)}),
    ):
        opt, before = tw.LBFGS(), bits(params)
        assert opt.update(params, closure=lambda p, g=grads: (7.0, g)) == 7
        assert (opt.t, opt.n_iter, opt.func_evals) == (1, 0, 1)
        assert bits(params) == before


# What is remembered is about one vector -------------------------------------------------------------------------------


def two(p):
    """|a|^2 + 3 |b|^2, of those that are given."""
    scales = {"a": 1.0, "b": 3.0}
    return float(sum(s * p[k] @ p[k] for k, s in scales.items() if k in p)), {k: 2 * scales[k] * p[k] for k in p}


def without_b(p):
    value, grads = two(p)
    return value, grads | {"b": None}


def fresh(*names, size=2, dtype=np.float64):
    return {name: np.arange(1, size + 1, dtype=dtype) for name in names}


@pytest.mark.parametrize(
    "params, closure, message",
    [
        (fresh("a"), two, "'b' took part in the calls before, and now has no gradient or is not given"),
        (fresh("a", "b"), without_b, "'b' took part in the calls before"),
        (fresh("a", "b", size=3), two, r"'a' is float64 of shape \(3,\), and was float64 of shape \(2,\)"),
        (fresh("a", "b", dtype=np.float32), two, r"'a' is float32 of shape \(2,\), and was float64"),
    ],
    ids=["a name less", "a gradient less", "another shape", "another dtype"],
)
def test_another_vector_takes_another_optimizer(params, closure, message):
    opt = tw.LBFGS(max_iter=2)
    opt.update(fresh("a", "b"), closure=two)
    before = bits([opt.state_dict(), params])
    with pytest.raises(ValueError, match=f"{message}.*take a new LBFGS"):
        opt.update(params, closure=closure)
    assert bits([opt.state_dict(), params]) == before


def test_a_gradient_that_was_none():
    opt = tw.LBFGS(max_iter=2)
    opt.update(fresh("a", "b"), closure=without_b)
    with pytest.raises(ValueError, match="'b' has a gradient now, and took no part in the calls before"):
        opt.update(fresh("a", "b"), closure=two)


@pytest.mark.parametrize("first, then, message", [(two, without_b, "'b' is None"), (without_b, two, "'b' has a grad")])
def test_gradients_come_and_go_within_a_call(first, then, message):
    params, calls = fresh("a", "b"), []

    def closure(p):
        calls.append(1)
        return (first if len(calls) < 3 else then)(p)

    before = bits(params)
    with pytest.raises(ValueError, match=f"{message}.* at evaluation 3 of this call.*return the same ones each time"):
        tw.LBFGS().update(params, closure=closure)
    assert bits(params) == before


def test_a_parameter_without_a_gradient_keeps_its_bits():
    params = fresh("a", "b") | {"n": 3}
    params["b"][:] = [-0.0, np.nan]

    def closure(p):
        return float(p["a"] @ p["a"]), {"a": 2 * p["a"], "b": None, "n": None}

    before = bits([params["b"], params["n"]])
    opt = tw.LBFGS()
    opt.update(params, closure=closure)
    assert bits([params["b"], params["n"]]) == before
    assert list(opt.state_dict()["parameters"]) == ["a"]
    assert np.abs(params["a"]).max() < 1e-6


def test_the_order_of_names_may_change():
    a, b = fresh("a", "b"), fresh("a", "b")
    opts = [tw.LBFGS(max_iter=2), tw.LBFGS(max_iter=2)]
    for _ in range(3):
        opts[0].update(a, closure=two)
        opts[1].update(b, closure=two)
        b = dict(reversed(b.items()))
        assert bits([a["a"], a["b"]]) == bits([b["a"], b["b"]])
