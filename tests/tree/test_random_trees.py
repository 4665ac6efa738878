"""Containers of any shape: names, gradients and numbers against a recursion written here."""

from __future__ import annotations

import os
from copy import deepcopy

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from thalweg.tree import check_names, leaves, matching, rebind

leaf = st.one_of(st.builds(lambda n: np.full(n, 1.0), st.integers(0, 2)), st.floats(-4, 4), st.integers(-9, 9))
keys = st.text("abW0._", max_size=3)
trees = st.recursive(
    leaf,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(keys, inner, max_size=3)),
    max_leaves=8,
).filter(lambda tree: isinstance(tree, dict | list))


def ways(tree, way=()):
    """Every leaf of a tree, with the keys that lead to it."""
    if not isinstance(tree, dict | list):
        return [(way, tree)]
    places = tree if isinstance(tree, dict) else range(len(tree))
    return [found for place in places for found in ways(tree[place], (*way, place))]


def mapped(function, tree):
    if isinstance(tree, dict):
        return {key: mapped(function, inner) for key, inner in tree.items()}
    return [mapped(function, inner) for inner in tree] if isinstance(tree, list) else function(tree)


def at(tree, way):
    for place in way:
        tree = tree[place]
    return tree


def names_of(tree):
    return tuple(".".join(map(str, way)) for way, _ in ways(tree))


@given(trees)
@settings(deadline=None, max_examples=50, derandomize="CI" in os.environ)
def test_names_arrays_and_numbers(tree):
    before = deepcopy(tree)
    found = leaves(tree, {})
    assert found.names == names_of(tree)
    if len(set(found.names)) < len(found.names):
        with pytest.raises(ValueError, match="parameters have the name"):
            check_names(found.names)
        return
    for (_, value), array in zip(ways(tree), found.arrays, strict=True):
        assert array is value if isinstance(value, np.ndarray) else float(array) == value
    assert len(found.numbers) == sum(not isinstance(value, np.ndarray) for _, value in ways(tree))
    assert repr(tree) == repr(before)
    for array in found.arrays:
        np.add(array, 0.5, out=array)
    rebind(found.numbers)
    for (way, new), (other, old) in zip(ways(tree), ways(before), strict=True):
        assert way == other
        assert np.array_equal(new, old + 0.5)
        assert type(new) is (np.ndarray if isinstance(old, np.ndarray) else float)


@given(trees, st.randoms())
@settings(deadline=None, max_examples=50, derandomize="CI" in os.environ)
def test_gradients_in_their_order_and_what_is_missing(tree, random):
    found = leaves(tree, {})
    assume(len(set(found.names)) == len(found.names) > 0)
    grads = mapped(lambda value: np.full_like(value, 3.0, dtype=float), tree)
    expected = [g for _, g in ways(grads)]
    matched = matching(found.names, grads, tree)
    assert all(one is other for one, other in zip(matched, expected, strict=True))
    k = random.randrange(len(found.names))
    *way, last = ways(tree)[k][0]
    name = found.names[k]
    holder = at(grads, way)
    if isinstance(holder, list):
        assume(last == len(holder) - 1)
    del holder[last]
    with pytest.raises(ValueError, match="no gradient for") as e:
        matching(found.names, grads, tree)
    assert str(e.value).startswith(f"no gradient for {name!r} (None")
    optional = matching(found.names, grads, tree, {name})
    assert [g is None for g in optional] == [i == k for i in range(len(found.names))]
