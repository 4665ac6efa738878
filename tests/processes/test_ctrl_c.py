"""Ctrl-C at random moments, and handlers of every kind."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest

import thalweg as tw
from tests.processes.harness import run
from tests.processes.instructions import Interrupted, some_instructions
from tests.processes.kinds import KINDS, gradients, large, on_threads, picture, pictures

PATIENCE = 60.0
pytestmark = pytest.mark.skipif(
    threading.current_thread() is not threading.main_thread(), reason="Python interrupts the main thread alone"
)


@pytest.mark.parametrize("kinds", [["large"], list(KINDS)], ids=["large", "small"])
def test_fifty_at_random_moments_of_every_kind_of_step(kinds):
    lines = run("ctrl_c", 50, *kinds).splitlines()
    found = [line.split() for line in lines]
    assert [(kind, int(repeats)) for kind, repeats, _ in found] == [(kind, 50) for kind in kinds]
    assert sum(int(inside) for _, _, inside in found) > 10 * len(kinds)


@pytest.mark.slow
@pytest.mark.parametrize("kinds", [["large"], list(KINDS)], ids=["large", "small"])
def test_a_thousand_at_random_moments(kinds):
    run("ctrl_c", 1000, *kinds, patience=1000)


@pytest.fixture
def handled():
    """What a handler that does not raise was called with."""
    calls = []
    before = signal.signal(signal.SIGINT, lambda number, frame: calls.append(number))
    yield calls
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("kind", ["plain", "shared_out", "numbers"])
def test_a_handler_that_does_not_raise_is_called_once_and_disturbs_no_step(kind, handled):
    mine = signal.getsignal(signal.SIGINT)
    with on_threads():
        expected = pictures(KINDS[kind], 100)
        opt, params = KINDS[kind]()
        places = some_instructions(lambda: opt.update(params, gradients(params, 0)), before=70)
        for step, place in enumerate(places[-99:], 1):
            handled.clear()
            one = Interrupted(lambda step=step: opt.update(params, gradients(params, step)), place)
            assert one.raised is None
            assert handled == [signal.SIGINT] * one.arrived, one.where
            assert signal.getsignal(signal.SIGINT) is mine
            assert picture(opt, params) == expected[step + 1]


def test_where_interrupts_are_ignored_they_stay_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        expected, (opt, params) = pictures(large, 3), large()
        for step in range(3):
            with kills(every=0.0005):
                opt.update(params, gradients(params, step))
            assert picture(opt, params) == expected[step + 1]
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


# Other libraries that are loaded in this process may warn of any fork.
@pytest.mark.filterwarnings("ignore:.*fork:RuntimeWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_where_an_interrupt_ends_the_process_it_does():
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        opt, params = KINDS["numbers"]()
        while True:
            opt.update(params, gradients(params, 0))
            os.kill(os.getpid(), signal.SIGINT)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGINT


class kills:  # noqa: N801
    """A rain of interrupts from another thread, as long as the block goes on."""

    def __init__(self, every):
        self.every, self.over = every, threading.Event()
        self.thread = threading.Thread(target=self._rain)

    def _rain(self):
        while not self.over.wait(self.every):
            os.kill(os.getpid(), signal.SIGINT)

    def __enter__(self):
        self.thread.start()

    def __exit__(self, *_):
        self.over.set()
        self.thread.join(PATIENCE)
        assert not self.thread.is_alive()


@pytest.mark.parametrize("kind", ["large", "shared_out", "numbers", "chained"])
def test_a_rain_of_interrupts(kind):
    """Many in one step: what comes out is one KeyboardInterrupt, and a step that is whole or was not begun."""
    make, armed = large if kind == "large" else KINDS[kind], []
    expected, (opt, params), done, raised = pictures(make, 12), make(), 0, 0

    def handler(number, frame):
        if armed:
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, handler)
    deadline = time.monotonic() + PATIENCE
    try:
        with kills(every=0.0002):
            while raised < 50 and time.monotonic() < deadline:
                if done == 12:
                    (opt, params), done = make(), 0
                grads = gradients(params, done)
                try:
                    armed.append(True)
                    opt.update(params, grads)
                    armed.clear()
                except KeyboardInterrupt:
                    armed.clear()
                    raised += 1
                assert signal.getsignal(signal.SIGINT) is handler
                found = picture(opt, params)
                assert found in expected[done : done + 2]
                done += found == expected[done + 1]
    finally:
        signal.signal(signal.SIGINT, before)
    assert raised == 50


def test_interrupts_of_the_main_thread_leave_steps_of_another_alone():
    expected, (opt, params), steps, caught = pictures(large, 12), large(), [], 0

    def work():
        for step in range(12):
            opt.update(params, gradients(params, step))
            steps.append(picture(opt, params))

    thread = threading.Thread(target=work)
    thread.start()
    while thread.is_alive():
        try:
            os.kill(os.getpid(), signal.SIGINT)
            thread.join(0.001)
        except KeyboardInterrupt:
            caught += 1
    assert caught > 50
    assert steps == expected[1:]
    tw.set_num_threads(1)
