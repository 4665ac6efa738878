"""Nested dicts, lists, tuples and single arrays step as a flat dict does; numbers are rebound."""

from __future__ import annotations

from collections import UserDict
from types import MappingProxyType

import numpy as np
import pytest

import thalweg as tw
from tests.optimizer.worlds import RULES, bits, rng

SHAPES = [(3,), (2, 4), (), (5,)]


def numbers_of(shape, *seed):
    return np.array(rng(seed).standard_normal(shape))


def leaves_of(seed):
    return [numbers_of(shape, seed, i) for i, shape in enumerate(SHAPES)]


# From four leaves to a container, and the names that they have in it.
CONTAINERS = {
    "a list": (list, "0 1 2 3"),
    "a tuple": (tuple, "0 1 2 3"),
    "a nested dict": (lambda x: {"a": {"W": x[0], "b": x[1]}, "c": {"d": {"e": x[2]}}, "f": x[3]}, "a.W a.b c.d.e f"),
    "layers in a list": (
        lambda x: {"layers": [{"W": x[0], "b": x[1]}, {"W": x[2]}], "out": (x[3],)},
        "layers.0.W layers.0.b layers.1.W out.0",
    ),
    "lists in lists": (lambda x: [[x[0]], [[x[1], x[2]], x[3]]], "0.0 1.0.0 1.0.1 1.1"),
    "another mapping": (lambda x: UserDict(a=x[0], b=MappingProxyType({"c": x[1]}), d=x[2:]), "a b.c d.0 d.1"),
    "keys with points": (lambda x: {"a.b": x[0], "a": {"c": x[1], "d.e": x[2]}, "": x[3]}, "a.b a.c a.d.e "),
}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("kind", CONTAINERS)
def test_a_container_steps_as_a_flat_dict_of_its_names(kind, rule):
    make, names = CONTAINERS[kind]
    names = names.split(" ")
    arrays, other = leaves_of(1), leaves_of(1)
    params, flat = make(arrays), dict(zip(names, other, strict=True))
    opt, reference = tw.Optimizer(RULES[rule]), tw.Optimizer(RULES[rule])
    for step in range(3):
        grads = leaves_of(10 + step)
        opt.update(params, make(grads))
        reference.update(flat, dict(zip(names, grads, strict=True)))
        assert list(map(bits, arrays)) == list(map(bits, other))
    assert list(opt.state) == list(reference.state) == names
    for name, slots in reference.state.items():
        assert {slot: bits(np.asarray(x)) for slot, x in slots.items()} == {
            slot: bits(np.asarray(x)) for slot, x in opt.state[name].items()
        }


@pytest.mark.parametrize("shape", SHAPES)
def test_a_single_array(shape):
    w, flat = numbers_of(shape, 1), {"w": numbers_of(shape, 1)}
    opt, reference = tw.Adam(), tw.Adam()
    for step in range(3):
        g = numbers_of(shape, 2, step)
        opt.update(w, g)
        reference.update(flat, {"w": g})
        assert bits(w) == bits(flat["w"])
    assert list(opt.state) == ["w"]


def test_containers_may_be_built_anew_at_every_step():
    """As scripts do that rebuild their lists for each call."""
    arrays, other = leaves_of(1), leaves_of(1)
    opt, reference = tw.Adam(), tw.Adam()
    for step in range(3):
        opt.update(list(arrays), list(leaves_of(step)))
        reference.update(dict(zip("0123", other, strict=True)), dict(zip("0123", leaves_of(step), strict=True)))
    assert list(map(bits, arrays)) == list(map(bits, other))


@pytest.mark.parametrize("gone", [None, {"W": None, "b": None}])
def test_none_for_a_subtree_leaves_it_alone(gone):
    params = {"layer": {"W": np.ones(2), "b": np.ones(1)}, "x": np.ones(3)}
    opt = tw.Adam()
    for _ in range(2):
        opt.update(params, {"layer": {"W": np.ones(2), "b": np.ones(1)}, "x": np.ones(3)})
    before = [bits(params["layer"]["W"]), bits(params["layer"]["b"]), bits(opt.state["layer.W"]["m"])]
    opt.update(params, {"layer": gone, "x": np.ones(3)})
    assert [bits(params["layer"]["W"]), bits(params["layer"]["b"]), bits(opt.state["layer.W"]["m"])] == before
    opt.update(params, {"layer": {"W": np.ones(2), "b": None}, "x": None})
    assert bits(params["layer"]["W"]) != before[0]
    assert bits(params["layer"]["b"]) == before[1]


# Numbers --------------------------------------------------------------------------------------------------------------

KINDS = {
    "float": (1.5, float, np.float64),
    "int": (2, float, np.float64),
    "float64": (np.float64(1.5), np.float64, np.float64),
    "float32": (np.float32(1.5), np.float32, np.float32),
    "float16": (np.float16(1.5), np.float16, np.float16),
}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_number_moves_as_an_array_of_it_does(kind, rule):
    value, becomes, dtype = KINDS[kind]
    params, arrays = (
        {"x": value, "y": [np.ones(3), value]},
        {"x": np.array(value, dtype), "y.1": np.array(value, dtype)},
    )
    array, other = params["y"][0], np.ones(3)
    opt, reference = tw.Optimizer(RULES[rule]), tw.Optimizer(RULES[rule])
    for step in range(4):
        g = rng([5, step]).standard_normal(2).astype(dtype)
        opt.update(params, {"x": becomes(g[0]), "y": [np.full(3, 0.5), g[1]]})
        order = {"x": arrays["x"], "y.0": other, "y.1": arrays["y.1"]}
        reference.update(order, {"x": np.array(g[0]), "y.0": np.full(3, 0.5), "y.1": np.array(g[1])})
        assert (type(params["x"]), type(params["y"][1])) == (becomes, becomes)
        assert np.asarray(params["x"], dtype).tobytes() == arrays["x"].tobytes()
        assert np.asarray(params["y"][1], dtype).tobytes() == arrays["y.1"].tobytes()
        assert params["y"][0] is array
        assert bits(array) == bits(other)
    assert list(opt.state) == list(reference.state) == ["x", "y.0", "y.1"]


@pytest.mark.parametrize("gradient", [3, 3.0, np.float32(3), np.int8(3), np.array(3.0), np.array(3.0, np.float32)])
def test_gradients_of_numbers(gradient):
    params = {"x": 1.0}
    tw.SGD(lr=0.5).update(params, {"x": gradient})
    assert params == {"x": -0.5}
    assert type(params["x"]) is float


def test_a_number_that_the_caller_sets_between_steps_counts():
    params = {"x": 1.0}
    opt = tw.SGD(lr=0.5)
    opt.update(params, {"x": 1.0})
    params["x"] = 10
    opt.update(params, {"x": 1.0})
    assert params["x"] == 9.5


@pytest.mark.parametrize("kept", ["a dict", "a list"])
def test_a_history_that_the_caller_keeps_is_not_changed(kept):
    params = {"x": -7.0, "y": 2.0} if kept == "a dict" else [-7.0, 2.0]
    keys = list(params) if kept == "a dict" else [0, 1]
    opt, history = tw.SGD(lr=0.95), []
    for _ in range(3):
        history.append([params[key] for key in keys])
        grads = [params[keys[0]] / 10.0, params[keys[1]] * 2.0]
        opt.update(params, dict(zip(keys, grads, strict=True)) if kept == "a dict" else grads)
    x, y = -7.0, 2.0
    for seen in history:
        assert seen == [x, y]
        x, y = x - 0.95 * (x / 10.0), y - 0.95 * (y * 2.0)


@pytest.mark.parametrize("gradient", [None, 0.0])
def test_a_number_that_does_not_move(gradient):
    params = {"x": 3, "y": 1.0, "z": np.float32(2)}
    tw.SGD().update(params, {"x": gradient, "y": gradient, "z": gradient})
    assert list(map(repr, params.values())) == ["3", "1.0", "np.float32(2.0)"]


BAD_NUMBERS = {
    "of another shape": ({"x": 1.0}, {"x": np.ones(1)}, ValueError, r"the gradient of 'x' has shape \(1,\)"),
    "text": ({"x": 1.0}, {"x": "1"}, TypeError, "the gradient of 'x' is a str"),
    "a bool": ({"x": 1.0}, {"x": True}, TypeError, "the gradient of 'x' is a bool"),
    "complex": ({"x": 1.0}, {"x": 1j}, TypeError, "the gradient of 'x' is a complex"),
    "a list": ({"x": 1.0}, {"x": [1.0]}, TypeError, "the gradient of 'x' is a list"),
    "a NaN": ({"x": 1.0}, {"x": float("nan")}, tw.NonFiniteError, "the gradient of 'x' is nan;"),
    "an infinity": ({"x": 1}, {"x": -np.inf}, tw.NonFiniteError, "the gradient of 'x' is -inf;"),
    "too large": ({"x": 1.0}, {"x": 10**400}, ValueError, "the gradient of 'x' is an int too large"),
    "missing": ({"x": 1.0}, {}, ValueError, "no gradient for 'x'"),
    "in a tuple": ({"x": (1.0,)}, {"x": (1.0,)}, TypeError, "parameter 'x.0' is a number in a tuple"),
    "for an array": ({"x": np.ones(())}, {"x": 1.0}, TypeError, "the gradient of 'x' is a float"),
    "twice": ({"x": (one := [1.0]), "y": one}, {"x": [1.0], "y": [1.0]}, ValueError, "'x.0' and 'y.0' are one number"),
}


@pytest.mark.parametrize("case", BAD_NUMBERS)
@pytest.mark.parametrize("steps", [0, 2])
def test_after_an_error_no_number_has_changed(case, steps):
    params, grads, kind, message = BAD_NUMBERS[case]
    good = {"a": 0.5, "b": [np.float32(1), 7, np.ones(2)]}
    opt = tw.Adam()
    for _ in range(steps):
        opt.update(good, {"a": 1.0, "b": [1.0, 1.0, np.ones(2)]})
    numbers = [repr(good["a"]), *map(repr, good["b"])]
    state = {name: {slot: bits(x) for slot, x in slots.items()} for name, slots in opt.state.items()}
    with pytest.raises(kind, match=message):
        opt.update(good | params, {"a": 1.0, "b": [1.0, 1.0, np.ones(2)]} | grads)
    assert [repr(good["a"]), *map(repr, good["b"])] == numbers
    assert {name: {slot: bits(x) for slot, x in slots.items()} for name, slots in opt.state.items()} == state
    assert opt.t == steps


DEEP_FAULTS = {
    "a gradient missing": (
        lambda p, g: (p, {**g, "layers": [g["layers"][0], {"W": g["layers"][1]["W"]}]}),
        ValueError,
        r"no gradient for 'layers.1.b'",
    ),
    "a gradient for nothing": (
        lambda p, g: (p, {**g, "layers": [g["layers"][0], g["layers"][1] | {"c": 1}]}),
        ValueError,
        r"a gradient for no parameter: 'layers.1.c'",
    ),
    "a layer missing": (
        lambda p, g: (p, {**g, "layers": g["layers"][:1]}),
        ValueError,
        r"no gradient for 'layers.1.W', 'layers.1.b' \(None",
    ),
    "a dict for a list": (
        lambda p, g: (p, {**g, "layers": dict(enumerate(g["layers"]))}),
        TypeError,
        "the gradient of 'layers' is a list like that of params, with 2 gradients, and this is of type dict",
    ),
    "another shape": (
        lambda p, g: (p, {**g, "layers": [g["layers"][0], g["layers"][1] | {"b": np.ones(2)}]}),
        ValueError,
        r"the gradient of 'layers.1.b' has shape \(2,\)",
    ),
    "a NaN": (
        lambda p, g: (p, {**g, "layers": [g["layers"][0], g["layers"][1] | {"b": np.array([np.nan])}]}),
        tw.NonFiniteError,
        r"the gradient of 'layers.1.b' is nan at \[0\]",
    ),
    "text as a parameter": (
        lambda p, g: ({**p, "z": ["a"]}, {**g, "z": [None]}),
        TypeError,
        "parameter 'z.0' is a str",
    ),
    "None as a parameter": (
        lambda p, g: ({**p, "z": {"bias": None}}, {**g, "z": {"bias": None}}),
        TypeError,
        "parameter 'z.bias' is a NoneType; .*leave the name out",
    ),
    "one array twice": (
        lambda p, g: ({**p, "tied": [p["layers"][0]["W"]]}, {**g, "tied": [np.ones((2, 2))]}),
        ValueError,
        "parameters 'layers.0.W' and 'tied.0' lie over the same memory",
    ),
}


@pytest.mark.parametrize("fault", DEEP_FAULTS)
@pytest.mark.parametrize("steps", [0, 2])
def test_errors_name_the_leaf_and_nothing_has_changed(fault, steps):
    make, kind, message = DEEP_FAULTS[fault]
    layers = [{"W": np.ones((2, 2)), "b": np.ones(1)} for _ in range(2)]
    params = {"x": 1.0, "layers": layers}
    grads = {"x": 1.0, "layers": [{"W": np.ones((2, 2)), "b": np.ones(1)} for _ in range(2)]}
    opt = tw.Adam()
    for _ in range(steps):
        opt.update(params, grads)
    arrays = [w for layer in layers for w in layer.values()]
    before = [
        *map(bits, arrays),
        params["x"],
        opt.t,
        {n: {k: bits(x) for k, x in s.items()} for n, s in opt.state.items()},
    ]
    with pytest.raises(kind, match=message):
        opt.update(*make(params, grads))
    after = [
        *map(bits, arrays),
        params["x"],
        opt.t,
        {n: {k: bits(x) for k, x in s.items()} for n, s in opt.state.items()},
    ]
    assert after == before
    opt.update(params, grads)
    assert opt.t == steps + 1


def test_a_container_in_itself_is_refused():
    params = {"a": np.ones(2)}
    params["b"] = [params]
    with pytest.raises(ValueError, match=r"the dict at 'b.0' contains itself"):
        tw.SGD().update(params, params)
    assert params["a"].tolist() == [1, 1]
