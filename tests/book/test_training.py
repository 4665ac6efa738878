"""A script of the book gives the same losses, to the last bit, with our classes in the place of its own."""

# ruff: noqa: NPY002 - such scripts draw from NumPy's global generator

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

from tests.book import by_hand
from tests.book.by_hand import Network, bits, data
from thalweg import book

CASES = [
    pytest.param("SGD", dict(lr=0.1), id="SGD"),
    pytest.param("Momentum", dict(lr=0.023, momentum=0.77), id="Momentum"),
    pytest.param("Nesterov", dict(lr=0.019, momentum=0.83), id="Nesterov"),
    pytest.param("AdaGrad", dict(lr=0.31), id="AdaGrad"),
    pytest.param("RMSprop", dict(lr=0.013, decay_rate=0.87), id="RMSprop"),
    pytest.param("Adam", dict(lr=0.017, beta1=0.83, beta2=0.973), id="Adam"),
]
NAMES = [case.values[0] for case in CASES]
DEFAULTS = [pytest.param(name, {}, id=f"{name}-defaults") for name in NAMES]


def both(name, **numbers):
    return getattr(book, name)(**numbers), getattr(by_hand, name)(**numbers)


def slots_of(optimizer):
    return [slot for slot in "mvh" if hasattr(optimizer, slot)]


def trained(optimizer, network, steps=300, on_step=lambda optimizer, i: None):
    """Train as the book's scripts do, and return the loss of every step."""
    x, t = data()
    np.random.seed(4)
    losses = []
    for i in range(steps):
        on_step(optimizer, i)
        batch = np.random.choice(len(x), 10)
        grads = network.gradient(x[batch], t[batch])
        optimizer.update(network.params, grads)
        losses.append(network.loss(x[batch], t[batch]))
    return losses


@pytest.mark.parametrize("name, numbers", CASES + DEFAULTS)
def test_the_losses_are_the_same(name, numbers):
    ours, theirs = both(name, **numbers)
    nets = Network(), Network()
    losses = trained(ours, nets[0])
    assert losses == trained(theirs, nets[1])
    assert sum(losses[-100:]) < sum(losses[:100])
    assert bits(nets[0].params) == bits(nets[1].params)


@pytest.mark.parametrize("name, numbers", CASES)
def test_numbers_are_set_in_mid_training(name, numbers):
    def change(optimizer, i):
        if i == 40:
            optimizer.lr *= 0.5
        if i == 80:
            optimizer.lr = np.float64(0.007)
            for number in set(numbers) - {"lr"}:
                setattr(optimizer, number, 0.6)

    ours, theirs = both(name, **numbers)
    losses = trained(ours, Network(), 120, change)
    assert losses == trained(theirs, Network(), 120, change)
    assert losses[80:] != trained(getattr(book, name)(**numbers), Network(), 120)[80:]
    assert ours.lr == 0.007


@pytest.mark.parametrize("name", NAMES)
def test_dropout_trains_alike(name):
    class Dropout:
        def forward(self, x, train_flg):
            if not train_flg:
                return x * 0.7
            self.mask = np.random.rand(*x.shape) > 0.3
            return x * self.mask

        def backward(self, dout):
            return dout * self.mask

    ours, theirs = both(name)
    losses = trained(ours, Network(dropout=book.Dropout(0.3)), 60)
    assert losses == trained(theirs, Network(dropout=Dropout()), 60)
    assert losses != trained(getattr(book, name)(), Network(), 60)


def test_layers_hold_the_arrays_that_are_updated():
    net = Network()
    before = net.params["W1"].copy()
    book.Adam().update(net.params, net.gradient(*data()))
    assert net.layers["Affine1"].W is net.params["W1"]
    assert (net.params["W1"] != before).all()


def test_layers_may_hold_views_of_one_vector():
    flat, copied = np.arange(12.0), np.arange(12.0)
    params = {"W": flat[:10].reshape(5, 2)[::-1], "b": flat[10:]}
    theirs = {"W": copied[:10].reshape(5, 2)[::-1], "b": copied[10:]}
    ours_opt, their_opt = both("Momentum", lr=0.1)
    for _ in range(5):
        ours_opt.update(params, {name: np.cos(w) for name, w in params.items()})
        their_opt.update(theirs, {name: np.cos(w) for name, w in theirs.items()})
    assert flat.tobytes() == copied.tobytes()


def test_one_sgd_trains_several_networks_of_other_names_and_shapes():
    """As where the book compares training with and without batch normalisation."""
    ours, theirs = both("SGD", lr=0.3)
    runs = []
    for optimizer in (ours, theirs):
        nets = [Network(), Network(prefix="second_"), Network((7, 4, 3), seed=5)]
        x, t = data()
        losses = []
        for _ in range(40):
            for net in nets:
                optimizer.update(net.params, net.gradient(x, t))
                losses.append(net.loss(x, t))
        runs.append(losses)
    assert runs[0] == runs[1]


@pytest.mark.parametrize("name, numbers", CASES)
def test_a_second_network_of_other_names_trains_as_with_an_optimizer_of_its_own(name, numbers):
    """Where the book raises KeyError. It joins later, and both then take turns."""
    one, _ = both(name, **numbers)
    apart, _ = both(name, **numbers)
    _, by_book = both(name, **numbers)
    x, t = data()
    first, second = Network(), Network(prefix="second_", seed=3)
    alone, alone_second = Network(), Network(prefix="second_", seed=3)
    for _ in range(7):
        one.update(first.params, first.gradient(x, t))
        by_book.update(alone.params, alone.gradient(x, t))
    for i in range(9):
        one.update(second.params, second.gradient(x, t))
        apart.update(alone_second.params, alone_second.gradient(x, t))
        for slot in slots_of(one):
            assert list(getattr(one, slot)) == [*first.params, *second.params]
            if i == 4:  # the same state in another dict
                setattr(one, slot, dict(getattr(one, slot)))
    assert bits(first.params) == bits(alone.params)
    assert bits(second.params) == bits(alone_second.params)


@pytest.mark.parametrize("name, numbers", CASES)
def test_a_second_network_of_the_same_names_shares_the_state_as_in_the_book(name, numbers):
    ends = []
    for optimizer in both(name, **numbers):
        first, second = Network(), Network(seed=3)
        x, t = data()
        for _ in range(20):
            for net in (first, second):
                optimizer.update(net.params, net.gradient(x, t))
        ends.append((bits(first.params), bits(second.params)))
    assert ends[0] == ends[1]


def test_a_second_network_of_the_same_names_and_other_shapes_is_refused_where_there_is_state():
    optimizer, (x, t) = book.Momentum(), data()
    first, second = Network(), Network((7, 5, 3))
    optimizer.update(first.params, first.gradient(x, t))
    before = bits(second.params)
    with pytest.raises(ValueError, match=r"'W1' .* use a new Momentum for another network"):
        optimizer.update(second.params, second.gradient(x, t))
    assert bits(second.params) == before


@pytest.mark.parametrize("name, numbers", CASES)
def test_some_of_the_names_take_part_for_a_while(name, numbers):
    """The book's Adam has one count for all names, also for those that have missed steps."""
    ends = []
    for optimizer in both(name, **numbers):
        net, (x, t) = Network(), data()
        for i in range(30):
            names = ["W2", "b2"] if 4 <= i < 9 or i == 20 else list(net.params)
            optimizer.update({name: net.params[name] for name in names}, net.gradient(x, t))
        ends.append(bits(net.params))
    assert ends[0] == ends[1]


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))], ids=["copy", "pickle"])
@pytest.mark.parametrize("name, numbers", CASES)
def test_a_copy_goes_on_alone(name, numbers, copied):
    ours, theirs = both(name, **numbers)
    net, same, (x, t) = Network(), Network(), data()
    for _ in range(5):
        ours.update(net.params, net.gradient(x, t))
        theirs.update(same.params, same.gradient(x, t))
    other = copied(ours)
    for optimizer in (other, theirs):
        for slot in slots_of(optimizer):
            getattr(optimizer, slot)["W1"][:2] = 0
    for _ in range(3):  # the original goes elsewhere
        ours.update({name: w.copy() for name, w in net.params.items()}, net.gradient(x, t))
    for _ in range(5):
        other.update(net.params, net.gradient(x, t))
        theirs.update(same.params, same.gradient(x, t))
    assert bits(net.params) == bits(same.params)
