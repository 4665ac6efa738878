"""Attributes of the book's classes: what scripts read, set, replace and carry over."""

from __future__ import annotations

import inspect
import pickle

import numpy as np
import pytest

from tests.book import by_hand
from tests.book.by_hand import Network, bits, data
from thalweg import book

SLOTS = {
    "SGD": (),
    "Momentum": ("v",),
    "Nesterov": ("v",),
    "AdaGrad": ("h",),
    "RMSprop": ("h",),
    "Adam": ("m", "v"),
}
STATEFUL = [name for name, slots in SLOTS.items() if slots]


def stepped(name, steps=4):
    """Return (ours, a network) and (by hand, another that is the same), after some steps."""
    pairs = []
    for module in (book, by_hand):
        optimizer, net = getattr(module, name)(lr=0.1), Network()
        go_on(optimizer, net, steps)
        pairs.append((optimizer, net))
    return pairs


def go_on(optimizer, net, steps=5):
    for _ in range(steps):
        optimizer.update(net.params, net.gradient(*data()))


def state(optimizer):
    return {slot: bits(getattr(optimizer, slot)) for slot in SLOTS[type(optimizer).__name__]}


@pytest.mark.parametrize("name", SLOTS)
def test_constructor_arguments_are_the_books(name):
    def taken(kind):
        return [(p.name, p.default) for p in inspect.signature(kind).parameters.values()]

    assert taken(getattr(book, name)) == taken(getattr(by_hand, name))
    numbers = [x / 2 for _, x in taken(getattr(book, name))]
    optimizer = getattr(book, name)(*numbers)
    assert [getattr(optimizer, n) for n, _ in taken(getattr(book, name))] == numbers


@pytest.mark.parametrize("name", SLOTS)
def test_state_is_none_before_the_first_step_and_the_books_after_it(name):
    optimizer = getattr(book, name)()
    assert all(getattr(optimizer, slot) is None for slot in SLOTS[name])
    (ours, net), (theirs, _) = stepped(name)
    assert state(ours) == state(theirs)
    for slot in SLOTS[name]:
        assert type(getattr(ours, slot)) is dict
        assert list(getattr(ours, slot)) == list(net.params)


def test_iter_counts_the_steps_of_adam():
    optimizer = book.Adam()
    assert optimizer.iter == 0
    go_on(optimizer, Network(), 3)
    assert optimizer.iter == 3


@pytest.mark.parametrize("name", STATEFUL)
def test_none_starts_over(name):
    (ours, net), (theirs, same) = stepped(name)
    for optimizer in (ours, theirs):
        for slot in SLOTS[name]:
            setattr(optimizer, slot, None)
    go_on(ours, net)
    go_on(theirs, same)
    assert bits(net.params) == bits(same.params)
    assert state(ours) == state(theirs)


@pytest.mark.parametrize("slot", ["m", "v"])
def test_one_none_of_adam_starts_both_over(slot):
    """The book looks at m alone, and stops with an error where v is None."""
    (ours, net), (theirs, same) = stepped("Adam")
    setattr(ours, slot, None)
    theirs.m = None
    go_on(ours, net)
    go_on(theirs, same)
    assert bits(net.params) == bits(same.params)


def test_a_name_that_one_slot_of_adam_lacks_starts_over_there():
    (ours, net), (theirs, same) = stepped("Adam")
    del ours.m["W1"]
    theirs.m["W1"] = 0.0
    go_on(ours, net)
    go_on(theirs, same)
    assert bits(net.params) == bits(same.params)


@pytest.mark.parametrize("starts_over", [True, False])
def test_names_that_joined_late_count_from_where_a_script_sets_the_count(starts_over):
    (ours, _), (theirs, _) = stepped("Adam", 3)
    net, same = Network(prefix="late_"), Network(prefix="late_")
    go_on(ours, net, 2)
    for name, w in net.params.items():
        same.params[name][...] = w
    if starts_over:
        ours.m = ours.v = theirs.m = None
        theirs.iter = 5
    else:
        theirs.m, theirs.v = ({name: a.copy() for name, a in state.items()} for state in (ours.m, ours.v))
        ours.iter = theirs.iter = 1
    go_on(ours, net)
    go_on(theirs, same)
    assert bits(net.params) == bits(same.params)


def test_state_of_float32_starts_over():
    ends = []
    for resets in (True, False):
        params, optimizer = {"W": np.ones(3, np.float32)}, book.Momentum()
        for i in range(4):
            if i == 2:
                optimizer = optimizer if resets else book.Momentum()
                optimizer.v = None
            optimizer.update(params, {"W": np.cos(params["W"])})
        assert optimizer.v["W"].dtype == np.float32
        ends.append(bits(params))
    assert ends[0] == ends[1]


def test_iter_is_set_with_and_without_the_state():
    (ours, net), (theirs, same) = stepped("Adam")
    for optimizer, network in ((ours, net), (theirs, same)):
        optimizer.iter = 0
        go_on(optimizer, network)
        optimizer.m = optimizer.v = None
        optimizer.iter = 20
        assert optimizer.iter == 20
        go_on(optimizer, network)
        assert optimizer.iter == 25
    assert bits(net.params) == bits(same.params)


@pytest.mark.parametrize("name", STATEFUL)
def test_state_is_written_to(name):
    (ours, net), (theirs, same) = stepped(name)
    for optimizer, network in ((ours, net), (theirs, same)):
        for slot in SLOTS[name]:
            values = getattr(optimizer, slot)
            values["W1"][:2] = 0  # in place
            values["b1"] = values["b1"] * 0.5  # another array
            values["W2"] *= 0.25
            values["b2"] = 0.0  # a number for an array of it
        go_on(optimizer, network)
    assert bits(net.params) == bits(same.params)


@pytest.mark.parametrize("name", STATEFUL)
def test_a_script_makes_the_state_itself(name):
    ends = []
    for module in (book, by_hand):
        optimizer, net = getattr(module, name)(lr=0.1), Network()
        for slot in SLOTS[name]:
            setattr(optimizer, slot, {})
            for key, w in net.params.items():
                getattr(optimizer, slot)[key] = np.full_like(w, 0.01)
        go_on(optimizer, net)
        ends.append(bits(net.params))
    assert ends[0] == ends[1]


@pytest.mark.parametrize("name", STATEFUL)
def test_a_name_that_a_script_takes_out_starts_over(name):
    (ours, net), (_, same) = stepped(name)
    for slot in SLOTS[name]:
        getattr(ours, slot).clear()
    go_on(ours, net)
    fresh = getattr(by_hand, name)(lr=0.1)
    go_on(fresh, same)
    assert bits(net.params) == bits(same.params)


@pytest.mark.parametrize("name", STATEFUL)
def test_a_checkpoint_by_hand_goes_on_where_it_was(name):
    (ours, net), (theirs, same) = stepped(name)
    kept = pickle.dumps({slot: getattr(ours, slot) for slot in SLOTS[name]} | {"iter": getattr(ours, "iter", 0)})
    later = getattr(book, name)(lr=0.1)
    for attribute, value in pickle.loads(kept).items():
        if attribute in SLOTS[name] or name == "Adam":
            setattr(later, attribute, value)
    go_on(later, net)
    go_on(theirs, same)
    assert bits(net.params) == bits(same.params)
    assert state(later) == state(theirs)


def test_state_of_numbers_is_taken_over_too():
    ours, theirs = book.Momentum(0.1), by_hand.Momentum(0.1)
    params, same = {"x": -7.0}, {"x": -7.0}
    for optimizer, point in ((ours, params), (theirs, same)):
        for i in range(6):
            optimizer.update(point, {"x": point["x"] / 10})
            if i == 2:
                optimizer.v["x"] *= 0.5
    assert params == same
    assert ours.v == theirs.v


def test_state_of_another_shape_is_refused_with_nothing_changed():
    (ours, net), _ = stepped("Momentum")
    before = bits(net.params)
    ours.v["W1"] = np.zeros((2, 2))
    with pytest.raises(ValueError, match=r"'W1' .* shape \(2, 2\)"):
        go_on(ours, net, 1)
    assert bits(net.params) == before
    ours.v["W1"] = np.zeros_like(net.params["W1"])
    go_on(ours, net, 1)
    assert bits(net.params) != before


@pytest.mark.parametrize("value", [-0.1, float("nan"), "0.1", None, True])
def test_a_number_that_cannot_be_is_refused_when_it_is_set(value):
    optimizer = book.SGD(0.2)
    with pytest.raises((TypeError, ValueError), match="lr = "):
        optimizer.lr = value
    assert optimizer.lr == 0.2


def test_scripts_keep_things_of_their_own_on_an_optimizer():
    optimizer = book.SGD()
    optimizer.label = "a"
    assert (optimizer.label, repr(optimizer)) == ("a", "SGD(lr=0.01) after 0 steps")


def test_the_star_import_is_that_of_the_book():
    room = {}
    exec("from thalweg.book import *", room)
    names = {name for name in room if not name.startswith("__")}
    assert names == {"SGD", "Momentum", "Nesterov", "AdaGrad", "RMSprop", "Adam", "Dropout", "np"}
    assert room["np"] is np


def test_a_trainer_finds_the_classes_by_name_and_gives_arguments_by_name():
    kinds, numbers = {"sgd": book.SGD, "adam": book.Adam}, {"lr": 0.3}
    for name, kind in kinds.items():
        optimizer = kinds[name.lower()](**numbers)
        assert type(optimizer) is kind
        assert optimizer.lr == 0.3
