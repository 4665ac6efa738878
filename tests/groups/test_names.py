"""Groups: which names a pattern takes, and what is frozen."""

from __future__ import annotations

import numpy as np
import pytest

import thalweg as tw

NAMES = ["embed.W", "layers.0.W", "layers.0.b", "layers.1.W", "layers.1.b", "head.b", "a[0]"]


def params(names=NAMES, value=1.0):
    return {name: np.full((2, 3), value) for name in names}


def grads(own, value=1.0):
    return {name: np.full(np.shape(w), value) for name, w in own.items()}


def moved_by(groups, **more):
    """Return how far each parameter moves in a step of plain descent with a gradient of ones."""
    own = params()
    tw.SGD(lr=1.0, groups=groups, **more).update(own, grads(own))
    return {name: float(1.0 - w[0, 0]) for name, w in own.items()}


def rate(lr):
    return {"lr": lr}


@pytest.mark.parametrize(
    "pattern, names",
    [
        ("*", NAMES),
        ("*.b", ["layers.0.b", "layers.1.b", "head.b"]),
        ("*b", ["layers.0.b", "layers.1.b", "head.b"]),
        ("layers.*", ["layers.0.W", "layers.0.b", "layers.1.W", "layers.1.b"]),
        ("layers.?.W", ["layers.0.W", "layers.1.W"]),
        ("layers.[01].b", ["layers.0.b", "layers.1.b"]),
        ("layers.[!0].*", ["layers.1.W", "layers.1.b"]),
        ("embed.W", ["embed.W"]),
        ("a[[]0]", ["a[0]"]),
        ("?????.W", ["embed.W"]),
    ],
)
def test_which_names_a_pattern_takes(pattern, names):
    moved = moved_by({pattern: rate(0.5)})
    assert {name for name, by in moved.items() if by == 0.5} == set(names)
    assert set(moved.values()) <= {0.5, 1.0}


@pytest.mark.parametrize("pattern", ["*.w", "LAYERS.*", "layers", "embed", "layers.2.*", "b", "", " *.b", "a[0]"])
def test_a_pattern_that_matches_nothing_is_an_error_that_lists_the_names(pattern):
    own = params()
    opt = tw.SGD(lr=1.0, groups={"*.b": rate(0.5), pattern: rate(0.25)})
    with pytest.raises(ValueError, match=r"matches no parameter.*'embed\.W', 'layers\.0\.W'.*'a\[0\]'") as error:
        opt.update(own, grads(own))
    assert f"the group {pattern!r}" in str(error.value)
    assert (opt.t, dict(opt.state)) == (0, {})
    assert all((w == 1.0).all() for w in own.values())


def test_the_first_that_matches_counts():
    assert moved_by({"layers.0.*": rate(0.5), "layers.*": rate(0.25), "*": rate(0.125)}) == {
        "embed.W": 0.125, "layers.0.W": 0.5, "layers.0.b": 0.5, "layers.1.W": 0.25, "layers.1.b": 0.25,
        "head.b": 0.125, "a[0]": 0.125,
    }  # fmt: skip
    assert moved_by({"layers.*": rate(0.25), "layers.0.*": rate(0.5)})["layers.0.W"] == 0.25
    assert moved_by({"*.W": None, "layers.*": rate(0.5)})["layers.0.W"] == 0.0


def test_names_of_nested_parameters_and_of_lists():
    own = {"layers": [{"W": np.ones(2), "b": np.ones(2)}, {"W": np.ones(2), "b": np.ones(2)}], "x": 1.0}
    given = {"layers": [{"W": np.ones(2), "b": np.ones(2)}, {"W": np.ones(2), "b": np.ones(2)}], "x": 1.0}
    tw.SGD(lr=1.0, groups={"layers.1.*": rate(0.5), "*.b": None, "x": rate(0.25)}).update(own, given)
    first, second = own["layers"]
    assert [w[0] for w in (first["W"], first["b"], second["W"], second["b"])] == [0.0, 1.0, 0.5, 0.5]
    assert own["x"] == 0.75
    listed = [np.ones(2), np.ones(2)]
    tw.SGD(lr=1.0, groups={"1": None}).update(listed, [np.ones(2), None])
    assert [w[0] for w in listed] == [0.0, 1.0]
    one = np.ones(2)
    tw.SGD(lr=1.0, groups={"w": rate(0.5)}).update(one, np.ones(2))
    assert one[0] == 0.5


# What is frozen -------------------------------------------------------------------------------------------------------


def read_only(w):
    w.flags.writeable = False
    return w


@pytest.mark.parametrize(
    "frozen",
    [
        np.ones(3),
        read_only(np.ones(3)),
        np.arange(3),
        np.ones(3, bool),
        np.array(["a", "b"]),
        np.broadcast_to(1.0, (3, 4)),
        np.array([1j]),
        np.full(3, np.nan),
        3.0,
        7,
    ],
)
@pytest.mark.parametrize("with_gradient", ["no gradient", "None", "any gradient"])
def test_what_is_frozen_is_not_looked_at(frozen, with_gradient):
    own = {"w": np.ones(3), "fixed": frozen, "v": np.ones(2)}
    before = np.array(frozen).tobytes()
    given = {"w": np.ones(3), "v": np.ones(2)}
    if with_gradient != "no gradient":
        given["fixed"] = None if with_gradient == "None" else np.full(9, np.nan)
    opt = tw.Adam(lr=0.5, groups={"fixed": None})
    alone = tw.Adam(lr=0.5)
    twin = {"w": np.ones(3), "v": np.ones(2)}
    for _ in range(3):
        opt.update(own, given)
        alone.update(twin, {"w": np.ones(3), "v": np.ones(2)})
    assert np.array(own["fixed"]).tobytes() == before
    assert own["fixed"] is frozen or type(frozen) is float
    assert list(opt.state) == ["w", "v"]
    assert all(own[name].tobytes() == w.tobytes() for name, w in twin.items())


def test_two_frozen_names_may_share_memory_and_everything_may_be_frozen():
    shared = np.ones(3)
    own = {"a": shared, "b": shared[1:], "w": np.zeros(2)}
    tw.SGD(lr=1.0, groups={"[ab]": None}).update(own, {"w": np.ones(2)})
    assert own["w"].tolist() == [-1.0, -1.0]
    opt = tw.Adam(groups={"*": None})
    opt.update(own, {})
    assert dict(opt.state) == {}


def test_one_that_was_frozen_is_not_missing_and_another_is():
    own = params()
    with pytest.raises(ValueError, match=r"no gradient for 'head\.b'"):
        tw.SGD(groups={"embed.*": None}).update(
            own, {n: np.ones((2, 3)) for n in NAMES if n not in ("embed.W", "head.b")}
        )


# From step to step ---------------------------------------------------------------------------------------------------


def test_a_name_that_comes_later_joins_its_group():
    own = params(["a.W"])
    opt = tw.SGD(lr=1.0, groups={"*.W": rate(0.5)})
    opt.update(own, grads(own))
    own |= params(["b.W", "b.b"])
    opt.update(own, grads(own))
    assert [float(w[0, 0]) for w in own.values()] == [0.0, 0.5, 0.0]


def test_a_pattern_may_match_a_name_of_an_earlier_step():
    opt = tw.Adam(groups={"a": rate(0.5)})
    opt.update(params(["a", "b"]), grads(params(["a", "b"])))
    opt.update(params(["b"]), grads(params(["b"])))
    assert opt.t == 2
