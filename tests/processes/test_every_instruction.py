"""Ctrl-C at every instruction of a step: it has been taken or it has not, and the optimizer goes on."""

from __future__ import annotations

import functools
import signal
import threading

import pytest

from tests.processes.instructions import Interrupted, some_instructions
from tests.processes.kinds import KINDS, gradients, on_threads, picture, pictures

pytestmark = pytest.mark.skipif(
    threading.current_thread() is not threading.main_thread(), reason="Python interrupts the main thread alone"
)


def after_steps(kind, count):
    opt, params = KINDS[kind]()
    for step in range(count):
        opt.update(params, gradients(params, step))
    return opt, params


def interrupted(kind, step, **how_many):
    """Interrupt this step, each time at another place; return how often it was left out, and how often taken."""
    expected = pictures(KINDS[kind], step + 3)[step:]
    opt, params = after_steps(kind, step)
    seen = [0, 0]
    for place in some_instructions(functools.partial(opt.update, params, gradients(params, step)), **how_many):
        opt, params = after_steps(kind, step)
        one = Interrupted(functools.partial(opt.update, params, gradients(params, step)), place)
        if not one.arrived:  # how threads share work out is not always the same
            continue
        assert one.raised is not None, one.where
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler, one.where
        # The exception is still there, with all that its traceback holds on to.
        found = picture(opt, params)
        assert found in expected[:2], f"torn by an interrupt at {one.where}"
        whole = found == expected[1]
        seen[whole] += 1
        for more in (1, 2):
            opt.update(params, gradients(params, step + whole + more - 1))
            assert picture(opt, params) == expected[whole + more], one.where
    return seen


# The first step makes state; the fifth does as the steps before it did.
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("step", [0, 4])
def test_a_step_is_taken_or_not(kind, step):
    with on_threads():
        untouched, whole = interrupted(kind, step)
    assert untouched > 20
    assert whole > 0


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("step", [0, 1, 4, 5])
def test_at_every_single_instruction(kind, step):
    with on_threads():
        untouched, whole = interrupted(kind, step, at_the_end=0, before=10**9)
    assert untouched > 100
    assert whole > 0
