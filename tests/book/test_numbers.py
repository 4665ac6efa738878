"""Parameters that are numbers: the book's first comparison, with the history kept by the caller."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.book import by_hand
from thalweg import book

RECORDED = json.loads((Path(__file__).parents[1] / "data" / "book_trajectories.json").read_text(encoding="utf-8"))
TITLES = {"sgd": "SGD", "momentum": "Momentum", "adagrad": "AdaGrad", "adam": "Adam"}
NAMES = ["SGD", "Momentum", "Nesterov", "AdaGrad", "RMSprop", "Adam"]


def slope(x, y):
    return x / 10.0, 2.0 * y


def history(optimizer, start=(-7.0, 2.0), steps=30):
    """Return the points of a run, before each step and after the last, as a script keeps them."""
    params, grads, points = {}, {}, []
    params["x"], params["y"] = start
    for _ in range(steps):
        points.append((params["x"], params["y"]))
        grads["x"], grads["y"] = slope(params["x"], params["y"])
        optimizer.update(params, grads)
    return [*points, (params["x"], params["y"])]


@pytest.mark.parametrize("rule", RECORDED["cases"])
def test_the_recorded_run_of_the_book(rule):
    case = RECORDED["cases"][rule]
    points = history(getattr(book, TITLES[rule])(**case["numbers"]))
    assert points == [tuple(point) for point in case["points"]]


def test_every_rule_of_the_first_comparison_is_recorded():
    assert set(RECORDED["cases"]) == set(TITLES)
    assert "MIT" in RECORDED["source"]["licence"]


@pytest.mark.parametrize("name", NAMES)
def test_the_history_is_that_of_the_equations(name):
    ours = history(getattr(book, name)(lr=0.3), steps=100)
    assert ours == history(getattr(by_hand, name)(lr=0.3), steps=100)
    assert len(set(ours)) == 101


@pytest.mark.parametrize("kind", [float, np.float64])
@pytest.mark.parametrize("name", NAMES)
def test_a_number_stays_of_its_type(name, kind):
    points = history(getattr(book, name)(), start=(kind(-7), kind(2)), steps=3)
    assert {type(x) for point in points for x in point} == {kind}


@pytest.mark.parametrize("name", NAMES)
def test_a_whole_number_to_start_at(name):
    ours = history(getattr(book, name)(lr=0.1), start=(-7, 2))
    assert ours == history(getattr(by_hand, name)(lr=0.1), start=(-7.0, 2.0))
    assert type(ours[1][0]) is float


@pytest.mark.parametrize("kind", [float, np.float64, np.array, lambda x: np.array([x])[0], int])
@pytest.mark.parametrize("name", NAMES)
def test_gradients_of_every_kind_of_number(name, kind):
    ours, theirs = {"x": 1.0}, {"x": 1.0}
    a, b = getattr(book, name)(), getattr(by_hand, name)()
    for _ in range(3):
        a.update(ours, {"x": kind(3.0)})
        b.update(theirs, {"x": float(kind(3.0))})
    assert ours == theirs
    assert ours["x"] != 1.0


@pytest.mark.parametrize("name", NAMES)
def test_a_0d_array_is_updated_in_place(name):
    x = np.array(-7.0)
    numbers = {"x": -7.0}
    a, b = getattr(book, name)(), getattr(by_hand, name)()
    for _ in range(3):
        a.update({"x": x}, {"x": np.float64(0.7)})
        b.update(numbers, {"x": 0.7})
    assert float(x) == numbers["x"]


@pytest.mark.parametrize("name", NAMES)
def test_params_and_grads_are_new_dicts_at_every_step(name):
    point, a = (-7.0, 2.0), getattr(book, name)()
    for _ in range(5):
        params = dict(zip("xy", point, strict=True))
        a.update(params, dict(zip("xy", slope(*point), strict=True)))
        point = params["x"], params["y"]
    assert point == history(getattr(by_hand, name)(), steps=5)[-1]


def test_one_params_dict_for_several_optimizers_starts_over_for_each():
    params = {"x": 0.0, "y": 0.0}
    ends = []
    for optimizer in (book.SGD(0.95), book.Adam(0.3)):
        params["x"], params["y"] = -7.0, 2.0
        for _ in range(30):
            optimizer.update(params, dict(zip("xy", slope(**params), strict=True)))
        ends.append((params["x"], params["y"]))
    assert ends == [tuple(RECORDED["cases"][rule]["points"][-1]) for rule in ("sgd", "adam")]


def test_a_velocity_that_is_kept_without_a_copy_stays_what_it_was():
    optimizer, params, kept = book.Momentum(lr=0.1), {"x": -7.0}, []
    for _ in range(3):
        optimizer.update(params, {"x": params["x"] / 10})
        kept.append(optimizer.v["x"])
    # v1 = 0.07; x1 = -6.93; v2 = 0.063 + 0.0693 = 0.1323; x2 = -6.7977; v3 = 0.11907 + 0.067977
    assert kept == pytest.approx([0.07, 0.1323, 0.187047], rel=1e-14)
