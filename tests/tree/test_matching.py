"""Gradients are matched to parameters by name, through every container."""

from __future__ import annotations

from collections import UserDict, defaultdict
from types import MappingProxyType

import numpy as np
import pytest

from thalweg.tree import leaves, matching

W = [np.full(2, float(i)) for i in range(4)]
G = [np.full(2, 10.0 + i) for i in range(4)]


def matched(params, grads, optional=()):
    """Gradients by name."""
    names = leaves(params, {}).names
    return dict(zip(names, matching(names, grads, params, optional), strict=True))


def same(found, expected):
    return list(found) == list(expected) and all(found[name] is expected[name] for name in expected)


NESTED = {"layers": [{"W": W[0], "b": W[1]}, {"W": W[2]}], "x": W[3]}

CASES = {
    "a dict": ({"a": W[0], "b": W[1]}, {"a": G[0], "b": G[1]}, {"a": G[0], "b": G[1]}),
    "another order": ({"a": W[0], "b": W[1]}, {"b": G[1], "a": G[0]}, {"a": G[0], "b": G[1]}),
    "another kind of mapping": ({"a": W[0]}, UserDict(a=G[0]), {"a": G[0]}),
    "of a read-only mapping": (MappingProxyType({"a": W[0]}), {"a": G[0]}, {"a": G[0]}),
    "none for one": ({"a": W[0], "b": W[1]}, {"a": None, "b": G[1]}, {"a": None, "b": G[1]}),
    "a list": ([W[0], W[1]], [G[0], G[1]], {"0": G[0], "1": G[1]}),
    "a tuple for a list": ([W[0], W[1]], (G[0], None), {"0": G[0], "1": None}),
    "a list for a tuple": ((W[0], W[1]), [G[0], G[1]], {"0": G[0], "1": G[1]}),
    "a single array": (W[0], G[0], {"w": G[0]}),
    "nested": (
        NESTED,
        {"x": G[3], "layers": ({"b": G[1], "W": G[0]}, {"W": G[2]})},
        {"layers.0.W": G[0], "layers.0.b": G[1], "layers.1.W": G[2], "x": G[3]},
    ),
    "none for a list": (
        NESTED,
        {"x": G[3], "layers": None},
        {"layers.0.W": None, "layers.0.b": None, "layers.1.W": None, "x": G[3]},
    ),
    "none for a dict in a list": (
        NESTED,
        {"x": None, "layers": [None, {"W": G[2]}]},
        {"layers.0.W": None, "layers.0.b": None, "layers.1.W": G[2], "x": None},
    ),
    "an empty dict": ({}, {}, {}),
    "empty ones inside": ({"a": {}, "b": [W[0]]}, {"a": {}, "b": [G[0]]}, {"b.0": G[0]}),
    "a name of nothing": ({"": W[0], "c": {"": W[1]}}, {"": G[0], "c": {"": G[1]}}, {"": G[0], "c.": G[1]}),
    "points in keys": ({"a.b": W[0], "a": {"c": W[1]}}, {"a.b": G[0], "a": {"c": G[1]}}, {"a.b": G[0], "a.c": G[1]}),
}


@pytest.mark.parametrize("case", CASES)
def test_in_the_order_of_names(case):
    params, grads, expected = CASES[case]
    assert same(matched(params, grads), expected)


@pytest.mark.parametrize("gradient", [2, 2.0, np.float32(2), np.float64(2), np.float16(2), np.int64(2), np.uint8(2)])
def test_numbers_are_gradients_of_numbers(gradient):
    found = matched({"x": 1.0, "y": [np.float32(1)], "W": W[0]}, {"x": gradient, "y": [gradient], "W": G[0]})
    for name in ("x", "y.0"):
        assert (type(found[name]), found[name].dtype, found[name].shape, found[name][()]) == (np.ndarray, "f8", (), 2)
    assert found["W"] is G[0]


@pytest.mark.parametrize("gradient", [True, np.True_, 1j, "2", [2.0], np.array([2.0])])
def test_what_is_no_number_is_passed_on_for_the_gate_to_refuse(gradient):
    assert matched({"x": 1.0}, {"x": gradient})["x"] is gradient


def test_a_number_is_no_gradient_of_an_array_here():
    assert matched({"a": np.array(1.0)}, {"a": 2.0})["a"] == 2.0
    assert type(matched({"a": np.array(1.0)}, {"a": 2.0})["a"]) is float


MISMATCHES = {
    "one missing": ({"a": W[0], "b": W[1]}, {"a": G[0]}, r"^no gradient for 'b' \(None leaves"),
    "one too many": ({"a": W[0]}, {"a": G[0], "zzz": G[1]}, r"^a gradient for no parameter: 'zzz'\. .*params: 'a'"),
    "misspelt": ({"W1": W[0], "b": W[1]}, {"W_1": G[0], "b": G[1]}, r"no gradient for 'W1' .*'W_1' \(for 'W1'\?\)"),
    "missing inside": (
        NESTED,
        {"layers": [{"W": G[0]}, {"W": G[2], "c": G[1]}], "x": G[3]},
        r"no gradient for 'layers.0.b' .*no parameter: 'layers.1.c'",
    ),
    "a whole subtree missing": (NESTED, {"x": G[3]}, r"no gradient for 'layers.0.W', 'layers.0.b', 'layers.1.W' \("),
    "a list too short": ([W[0], W[1], W[2]], [G[0]], r"no gradient for '1', '2'"),
    "a list too long": ([W[0]], [G[0], G[1], None], r"for no parameter: '1', '2'"),
    "a list too short inside": (
        NESTED,
        {"layers": [{"W": G[0], "b": G[1]}], "x": G[3]},
        r"no gradient for 'layers.1.W'",
    ),
    "the full name of a nested one": (
        {"a": {"b": W[0]}},
        {"a.b": G[0]},
        r"no gradient for 'a.b' .*no parameter: 'a.b'",
    ),
    "a name of nothing": ({"": W[0], "a": {"": W[1]}}, {"a": {}}, r"^no gradient for '', 'a\.' \("),
    "a key that is a number": ({"a": W[0]}, {"a": G[0], 3: G[1]}, "for no parameter: '3'"),
    "made up by a defaultdict": ({"a": W[0]}, defaultdict(lambda: G[0]), "no gradient for 'a'"),
}


@pytest.mark.parametrize("case", MISMATCHES)
def test_what_is_missing_and_what_is_unexpected_is_listed_by_full_name(case):
    params, grads, message = MISMATCHES[case]
    with pytest.raises(ValueError, match=message):
        matched(params, grads)


KINDS = {
    "nothing": ({"a": W[0]}, None, r"^grads is a dict with the names of params, and nothing was given"),
    "nothing for a list": ([W[0]], None, r"^grads is a list like that of params, with 1 gradients, and nothing"),
    "nothing for an array": (W[0], None, r"^grads is an array of the parameter's shape, and nothing"),
    "a list for a dict": ({"a": W[0]}, [G[0]], r"^grads is a dict .* of type list"),
    "an array for a dict": ({"a": W[0]}, G[0], r"^grads is a dict .* of type ndarray"),
    "a dict for a list": (
        [W[0], W[1]],
        {"0": G[0], "1": G[1]},
        r"^grads is a list .* with 2 gradients, .* of type dict",
    ),
    "an array for a list": ([W[0], W[1]], np.ones((2, 2)), r"^grads is a list .* of type ndarray"),
    "text for a list": ([W[0]], "a", r"^grads is a list .* of type str"),
    "a dict for an array": (W[0], {"w": G[0]}, r"^the gradient of 'w' is an array .* of type dict"),
    "a dict for an array inside": (
        {"a": W[0]},
        {"a": {"b": G[0]}},
        r"^the gradient of 'a' is an array of the parameter's shape, and this is of type dict",
    ),
    "an array for a dict inside": (
        {"a": {"b": W[0]}},
        {"a": G[0]},
        r"^the gradient of 'a' is a dict .* of type ndarray",
    ),
    "a dict for a list inside": (
        NESTED,
        {"layers": {}, "x": G[3]},
        r"^the gradient of 'layers' is a list .* of type dict",
    ),
    "a dict for a number": ({"x": 1.0}, {"x": {}}, r"^the gradient of 'x' is a number, as the parameter is, .* dict"),
}


@pytest.mark.parametrize("case", KINDS)
def test_a_container_of_another_kind(case):
    params, grads, message = KINDS[case]
    with pytest.raises(TypeError, match=message):
        matched(params, grads)


def test_a_gradient_too_large_for_a_float():
    with pytest.raises(ValueError, match="the gradient of 'x' is an int too large"):
        matched({"x": 1.0}, {"x": 10**400})


OPTIONAL = {
    "missing": ({"a": G[0]}, {"a": G[0], "b": None}),
    "given": ({"a": G[0], "b": G[1]}, {"a": G[0], "b": None}),
    "none": ({"a": G[0], "b": None}, {"a": G[0], "b": None}),
    "something odd": ({"a": G[0], "b": "text"}, {"a": G[0], "b": None}),
    "a dict": ({"a": G[0], "b": {"c": 1}}, {"a": G[0], "b": None}),
}


@pytest.mark.parametrize("case", OPTIONAL)
@pytest.mark.parametrize("names", [{"b"}, ["b", "other"], {"b": None}])
def test_optional_names_get_none_whatever_there_is(case, names):
    grads, expected = OPTIONAL[case]
    assert same(matched({"a": W[0], "b": W[1]}, grads, names), expected)


@pytest.mark.parametrize("grads", [{"x": G[3]}, {"x": G[3], "layers": "odd"}, {"x": G[3], "layers": [{}, G[1]]}])
def test_optional_names_of_a_whole_subtree(grads):
    optional = {"layers.0.W", "layers.0.b", "layers.1.W"}
    assert matched(NESTED, grads, optional) == dict.fromkeys(optional) | {"x": G[3]}


def test_a_subtree_that_is_optional_in_part_is_not():
    with pytest.raises(ValueError, match=r"no gradient for 'layers.1.W' \("):
        matched(NESTED, {"x": G[3]}, {"layers.0.W", "layers.0.b"})


@pytest.mark.parametrize("grads", [{"a": G[0], "zzz": G[1]}, {"zzz": G[1], "b": G[0]}])
def test_unexpected_names_are_so_where_others_are_optional(grads):
    with pytest.raises(ValueError, match="for no parameter: 'zzz'"):
        matched({"a": W[0], "b": W[1]}, grads, {"b"})


def test_of_many_missing_names_the_first_few_are_listed():
    params = {f"W{i}": np.ones(1) for i in range(100)}
    with pytest.raises(ValueError, match=r"no gradient for 'W0', .*'W7' and 92 more") as e:
        matched(params, {})
    assert len(str(e.value)) < 400
