"""Parameters as named leaves: what the names are, what is found under them, and what is refused."""

from __future__ import annotations

import re
from collections import OrderedDict, UserDict
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import pytest

from thalweg.tree import DEEPEST, check_names, leaves, rebind


class Pair(NamedTuple):
    """A layer's parameters."""

    W: Any
    b: Any


A, B, C = np.ones(2), np.zeros((2, 3)), np.array(1.5)


def listed(params, cells=None):
    """Names with their arrays."""
    found = leaves(params, {} if cells is None else cells)
    check_names(found.names)
    return dict(zip(found.names, found.arrays, strict=True))


TREES = {
    "a flat dict": ({"a": A, "b": B}, {"a": A, "b": B}),
    "nothing": ({}, {}),
    "an empty list": ([], {}),
    "any mapping": (UserDict(x=A), {"x": A}),
    "an ordered dict": (OrderedDict(x=A, y=B), {"x": A, "y": B}),
    "a read-only mapping": (MappingProxyType({"x": A}), {"x": A}),
    "nested dicts": ({"l": {"W": A, "b": B}, "x": C}, {"l.W": A, "l.b": B, "x": C}),
    "a list": ([A, B], {"0": A, "1": B}),
    "a tuple": ((A, B), {"0": A, "1": B}),
    "a named tuple": (Pair(A, B), {"0": A, "1": B}),
    "a list of dicts in a dict": (
        {"layers": [{"W": A}, {"W": B}], "y": C},
        {"layers.0.W": A, "layers.1.W": B, "y": C},
    ),
    "lists in lists": ([[A], (B, [C])], {"0.0": A, "1.0": B, "1.1.0": C}),
    "empty ones inside": ({"a": {}, "b": [], "c": A}, {"c": A}),
    "a single array": (A, {"w": A}),
    "a single number of an array": (C, {"w": C}),
    "keys with points": ({"a.b": A, "": B, "c": {"": C, ".": A}}, {"a.b": A, "": B, "c.": C, "c..": A}),
    "eleven": ([A] * 11, {str(i): A for i in range(11)}),
}


@pytest.mark.parametrize("tree", TREES)
def test_names_and_leaves_in_their_order(tree):
    params, expected = TREES[tree]
    found = leaves(params, {})
    assert found.names == tuple(expected)
    assert all(one is other for one, other in zip(found.arrays, expected.values(), strict=True))
    assert found.numbers == []


LEAVES = ["text", b"bytes", None, True, 1j, {1}, np.int64(1), np.longdouble(1), object(), A[::2]]


@pytest.mark.parametrize("leaf", LEAVES)
def test_other_leaves_are_passed_on_for_the_gate_to_refuse_by_name(leaf):
    assert listed({"a": [A, leaf]})["a.1"] is leaf


NUMBERS = {
    "float": (0.5, float, "float64"),
    "int": (3, float, "float64"),
    "float64": (np.float64(0.1), np.float64, "float64"),
    "float32": (np.float32(0.1), np.float32, "float32"),
    "float16": (np.float16(0.1), np.float16, "float16"),
}


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("where", ["a dict", "a list", "a list in a tuple in a dict", "a mapping"])
def test_numbers_are_copied_into_cells_and_rebound_in_their_place(number, where):
    value, kind, dtype = NUMBERS[number]
    params, inner, key, name = {
        "a dict": lambda: (p := {"x": value}, p, "x", "x"),
        "a list": lambda: (p := [value], p, 0, "0"),
        "a list in a tuple in a dict": lambda: ({"a": (A, p := [A, value])}, p, 1, "a.1.1"),
        "a mapping": lambda: (p := UserDict(x=value), p, "x", "x"),
    }[where]()
    cells = {}
    found = leaves(params, cells)
    cell = found.arrays[found.names.index(name)]
    assert (cell.dtype, cell.shape, cell[()]) == (dtype, (), value)
    assert cells == {name: cell}
    assert inner[key] is value
    cell[...] = 0.3
    assert inner[key] is value, "nothing of the caller's changes before the step is taken"
    rebind(found.numbers)
    assert type(inner[key]) is kind
    assert inner[key] == kind(0.3)


def test_cells_stay_where_they_are_from_step_to_step():
    cells, params = {}, {"x": 1.0, "y": [2]}
    first = leaves(params, cells)
    places = [cell.ctypes.data for cell in first.arrays]
    params["x"], params["y"][0] = 5.0, 7.5
    second = leaves(params, cells)
    assert [cell.ctypes.data for cell in second.arrays] == places
    assert [float(cell) for cell in second.arrays] == [5.0, 7.5]


def test_a_number_that_becomes_one_of_another_type_gets_another_cell():
    cells = {}
    assert leaves({"x": 1.0}, cells).arrays[0].dtype == "float64"
    assert leaves({"x": np.float32(1)}, cells).arrays[0].dtype == "float32"
    assert leaves({"x": 1}, cells).arrays[0].dtype == "float64"


def test_an_int_that_has_not_moved_stays_an_int():
    params = {"x": 3, "y": 3}
    found = leaves(params, {})
    found.arrays[1][...] = 2.5
    rebind(found.numbers)
    assert (repr(params["x"]), repr(params["y"])) == ("3", "2.5")


def test_numbers_that_are_nan_infinite_or_minus_zero():
    params = [float("nan"), float("inf"), -0.0, 1]
    found = leaves(params, {})
    found.arrays[3][...] = np.nan
    rebind(found.numbers)
    assert list(map(repr, params)) == ["nan", "inf", "-0.0", "nan"]


def itself_in_a_dict():
    d = {"a": A}
    d["b"] = {"c": [d]}
    return d


def itself_in_a_list():
    x = [A]
    x.append(x)
    return x


def very_deep():
    d = A
    for _ in range(DEEPEST + 1):
        d = {"x": d}
    return d


def shared_numbers():
    inner = [1.0]
    return {"a": inner, "b": inner}


REFUSED = {
    "a set": ({"a"}, TypeError, r"params is a dict of name -> array.*of type set"),
    "nothing": (None, TypeError, r"params is a dict.*this is None"),
    "text": ("abc", TypeError, "params is a dict.*of type str"),
    "a generator": ((x for x in [A]), TypeError, "params is a dict.*of type generator"),
    "a view of values": ({"a": A}.values(), TypeError, "params is a dict.*of type dict_values"),
    "an object": (object(), TypeError, "params is a dict.*of type object"),
    "a bool": (True, TypeError, "params is a dict.*of type bool"),
    "a float": (1.5, TypeError, r"params is a number \(1.5\).*rebound.*np\.array\(number\)"),
    "an int": (3, TypeError, r"params is a number \(3\)"),
    "a NumPy number": (np.float32(2), TypeError, r"params is a number"),
    "a number in a tuple": ((A, 1.0), TypeError, r"'1' is a number in a tuple.*np\.array\(number\).*dict or list"),
    "a number in a tuple inside": ({"a": [A, (A, 2)]}, TypeError, r"'a.1.1' is a number in a tuple"),
    "a number in a read-only mapping": (MappingProxyType({"x": 1.0}), TypeError, "'x' is a number in a mappingproxy"),
    "a key that is a number": ({1: A, "x": 1.0}, TypeError, "names of parameters are strings; 1 is of type int"),
    "a key inside that is a number": ({"a": {0: A}}, TypeError, "names of parameters are strings; 0 is of type int"),
    "a key that is a tuple": ({"a": {("b", 0): A}}, TypeError, r"\('b', 0\) is of type tuple"),
    "a dict in itself": (itself_in_a_dict(), ValueError, "the dict at 'b.c.0' contains itself"),
    "a list in itself": (itself_in_a_list(), ValueError, "the list at '1' contains itself"),
    "too deep": (very_deep(), ValueError, f"in more than {DEEPEST} other containers"),
    "one number twice": (shared_numbers(), ValueError, "'a.0' and 'b.0' are one number of one list.*updated twice"),
    "a number beyond floats": ({"x": 10**400}, ValueError, "parameter 'x' is an int too large"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case):
    params, kind, message = REFUSED[case]
    with pytest.raises(kind, match=message):
        leaves(params, {})


def test_a_key_that_is_no_string_is_refused_by_its_name_in_a_flat_dict_too():
    with pytest.raises(TypeError, match=r"names of parameters are strings; 1 is of type int"):
        check_names(leaves({"a": A, 1: A}, {}).names)


ONE_NAME = {
    "a.b": {"a.b": A, "a": {"b": B}},
    "a.0": {"a": {"0": A}, "a.0": B},
    "x.y.z": {"x": {"y.z": 1.0, "y": {"z": 2.0}}},
}


@pytest.mark.parametrize("name", ONE_NAME)
def test_two_leaves_of_one_name(name):
    params = ONE_NAME[name]
    with pytest.raises(ValueError, match=rf"2 parameters have the name '{re.escape(name)}'.*rename"):
        check_names(leaves(params, {}).names)


def test_one_list_twice_is_fine_here_where_it_holds_arrays():
    """Whether two names lie over one memory is the gate's to say."""
    inner = [A]
    assert list(listed({"a": inner, "b": inner})) == ["a.0", "b.0"]
