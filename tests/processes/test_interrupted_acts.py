"""Ctrl-C at every instruction of what moves parameters for a while, or writes and reads checkpoints."""

from __future__ import annotations

import copy
import signal
import threading

import numpy as np
import pytest

import thalweg as tw
from tests.processes.instructions import Interrupted, some_instructions
from tests.processes.kinds import KINDS, arrays, digest, gradients, picture

pytestmark = pytest.mark.skipif(
    threading.current_thread() is not threading.main_thread(), reason="Python interrupts the main thread alone"
)


def averaging():
    """An optimizer that keeps averages, after three steps, with parameters of every sort."""
    opt = tw.chain(tw.Adam(), tw.ema(0.5))
    params = arrays({"a": 9, "b": (2, 3)}) | {"x": 1.5} | arrays({"h": 4}, np.float16)
    for step in range(3):
        opt.update(params, gradients(params, step))
    return opt, params


def interruptions(act, **how_many):
    """Interrupt an act that leaves everything as it was, here and there; yield each that arrived."""
    places = some_instructions(act, **how_many)
    count = 0
    for place in places:
        one = Interrupted(act, place)
        if one.arrived:
            assert one.raised is not None, one.where
            assert signal.getsignal(signal.SIGINT) is signal.default_int_handler, one.where
            count += 1
            one.raised = None  # what a traceback holds on to, a context manager for one, ends with it
            yield one
    assert count > 50


def test_averages_are_taken_away_again():
    opt, params = averaging()
    before, shown = picture(opt, params), []

    def act():
        with opt.averaged() as p:
            shown.append(digest(p))
            p["a"] += 1

    for one in interruptions(act, at_the_end=10**9):
        assert picture(opt, params) == before, one.where
    assert len(set(shown)) == 1
    opt.update(params, gradients(params, 3))
    assert opt.t == 4


@pytest.mark.slow
def test_a_sharpness_aware_step_brings_parameters_back():
    def make():
        return tw.chain(tw.Adam(), tw.sam(0.5)), arrays({"a": 9, "b": (2, 3)}) | {"x": 1.5}

    def closure(params):
        return 1.0, {name: 3 * np.asarray(w) + 1 for name, w in params.items()}

    opt, params = make()
    places = some_instructions(lambda: opt.update(params, closure=closure), before=150)
    opt, params = make()
    expected = [picture(opt, params)]
    opt.update(params, closure=closure)
    expected.append(picture(opt, params))
    seen = [0, 0]
    for place in places:
        opt, params = make()
        one = Interrupted(lambda o=opt, p=params: o.update(p, closure=closure), place)
        if one.arrived:
            assert one.raised is not None
            found = picture(opt, params)
            assert found in expected, one.where
            seen[expected.index(found)] += 1
            opt.update(params, closure=closure)
    assert min(seen) > 0
    assert sum(seen) > 50


@pytest.fixture(params=["chained", "numbers"])
def two_moments(request, tmp_path):
    """An optimizer and its parameters after two steps, and a checkpoint of it after one."""
    opt, params = KINDS[request.param]()
    opt.update(params, gradients(params, 0))
    path = tmp_path / "checkpoint"
    opt.save(path, params)
    opt.update(params, gradients(params, 1))
    return opt, params, path


@pytest.mark.slow
def test_a_save_leaves_the_old_file_or_the_new_one(two_moments):
    opt, params, path = two_moments
    here, old, steps = picture(opt, params), path.read_bytes(), set()

    def act():
        path.write_bytes(old)
        opt.save(path, params)

    for one in interruptions(act):
        steps.add(tw.load(path).t)
        assert picture(opt, params) == here, one.where
        opt.save(path, params)
        assert [found.name for found in path.parent.iterdir()] == [path.name], one.where
    assert len(steps) == 2


@pytest.mark.slow
def test_a_load_into_an_optimizer_is_whole_or_not_at_all(two_moments):
    opt, _, path = two_moments
    now, other = opt.state_dict(), tw.load(path).state_dict()
    states, seen = [digest(now), digest(other)], set()

    def act():
        opt.load_state_dict(now)
        opt.load_state_dict(other)

    for one in interruptions(act):
        seen.add(digest(opt.state_dict()))
        assert seen <= set(states), one.where
    assert len(seen) == 2


def test_a_load_puts_all_parameters_in_place_or_none(two_moments):
    _, params, path = two_moments
    targets = []

    def act():
        targets.append(copy.deepcopy(params))
        tw.load(path, params=targets[-1])

    act()
    possible, seen = {digest(params), digest(targets[-1])}, set()
    for one in interruptions(act):
        seen.add(digest(targets[-1]))
        assert seen <= possible, one.where
    assert len(seen) == 2
