"""Threads: one optimizer serves one caller at a time, and says so; several optimizers do not disturb each other."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import thalweg as tw
from tests.optimizer.worlds import RULES, World, all_bits, differences, rng, some_grads

PATIENCE = 60.0  # seconds, for what takes milliseconds


def in_thread(function):
    """Run a function in another thread to its end; return what it raised, or None."""
    caught = []

    def run():
        try:
            function()
        except BaseException as error:  # noqa: BLE001 - handed to the test
            caught.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(PATIENCE)
    assert not thread.is_alive()
    return caught[0] if caught else None


@pytest.mark.parametrize("rule", RULES)
def test_a_second_thread_inside_update_is_refused_and_disturbs_nothing(rule):
    world, alone = World(rule, 2), World(rule, 2)
    refused = []

    def closure(params):
        """While this thread is inside update, another tries."""
        before = world.everything()
        refused.append(in_thread(lambda: world.opt.update(world.params, some_grads(world.params, 9))))
        assert differences(world.everything(), before) == []
        return 0.0, some_grads(params, 5)

    world.opt.update(world.params, closure=closure)
    alone.opt.update(alone.params, some_grads(alone.params, 5))
    (error,) = refused
    assert isinstance(error, RuntimeError)
    assert "a step of this optimizer is under way" in str(error)
    assert differences(world.everything(), alone.everything()) == []


def test_the_same_thread_inside_itself_is_refused_too():
    opt, w = tw.SGD(), np.ones(2)

    def closure(params):
        opt.update(params, {"w": np.ones(2)})
        raise AssertionError("two steps at once")

    with pytest.raises(RuntimeError, match="a step of this optimizer is under way"):
        opt.update({"w": w}, closure=closure)
    assert w.tolist() == [1, 1]
    opt.update({"w": w}, {"w": np.ones(2)})
    assert opt.t == 1


@pytest.mark.parametrize("end", [ValueError, KeyboardInterrupt])
def test_an_error_opens_the_door_again(end):
    world = World("adam")

    def closure(params):
        raise end

    with pytest.raises(end):
        world.opt.update(world.params, closure=closure)
    assert in_thread(lambda: world.steps(1)) is None
    assert world.opt.t == 1


def test_many_threads_on_one_optimizer_take_whole_steps():
    """Every attempt is a step or an error, and what comes out is that number of steps: no race."""
    opt, w = tw.SGD(lr=1.0), np.zeros(200_000)
    g, start, taken = np.ones_like(w), threading.Barrier(4), []

    def work():
        start.wait(PATIENCE)
        for _ in range(25):
            try:
                opt.update({"w": w}, {"w": g})
            except RuntimeError:
                continue
            taken.append(1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert len(taken) == opt.t > 0
    assert (w == -float(len(taken))).all()


@pytest.mark.parametrize("rule", ["adam", "prodigy"])
def test_two_optimizers_in_two_threads(rule):
    """Each with parameters that are large enough to be shared out over more threads."""
    expected, worlds = [], []
    for seed in (1, 2):
        params = {"w": rng(seed).standard_normal(300_000).astype(np.float32), "b": rng(seed).standard_normal(7)}
        gradients = [
            {name: rng([seed, step]).standard_normal(w.shape).astype(w.dtype) for name, w in params.items()}
            for step in range(4)
        ]
        alone = {name: w.copy() for name, w in params.items()}
        opt = tw.Optimizer(RULES[rule])
        for grads in gradients:
            opt.update(alone, grads)
        expected.append(all_bits(alone))
        worlds.append((tw.Optimizer(RULES[rule]), params, gradients))
    start = threading.Barrier(2)

    def work(opt, params, gradients):
        start.wait(PATIENCE)
        for grads in gradients:
            opt.update(params, grads)

    threads = [threading.Thread(target=work, args=world) for world in worlds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert [all_bits(params) for _, params, _ in worlds] == expected


def test_reading_while_another_thread_is_inside():
    world, seen = World("adam", 1), []

    def closure(params):
        assert (
            in_thread(lambda: seen.append((world.opt.t, world.opt.lr, len(world.opt.state), repr(world.opt)))) is None
        )
        return 0.0, some_grads(params, 5)

    world.opt.update(world.params, closure=closure)
    assert seen[0][:3] == (1, 0.001, 12)
