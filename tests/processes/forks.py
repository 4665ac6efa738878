"""Fork, again and again. Usage: forks.py HOW REPEATS, where HOW is the name of a function here.

A child that hangs is ended by an alarm, which its exit status tells.
"""

import gc
import os
import signal
import sys
import threading
import time
import traceback
import warnings

import numpy as np

import thalweg as tw
from tests.processes.instructions import Interrupted, some_instructions
from tests.processes.kinds import KINDS, gradients, large, picture, pictures
from thalweg.engine import threads

PATIENCE = 30
STEPS = 4


def in_child(function):
    """Fork; the child ends with this function. Returns its process number."""
    pid = os.fork()
    if pid == 0:
        signal.alarm(PATIENCE)
        try:
            function()
            os._exit(0)
        except BaseException:  # noqa: BLE001 - the child must not go on as its parent
            traceback.print_exc()
            os._exit(1)
    return pid


def wait_for(pid):
    status = os.waitpid(pid, 0)[1]
    assert status == 0, f"a child ended with {status}"


def go_on(opt, params, first):
    for step in range(first, STEPS):
        opt.update(params, gradients(params, step))


def stepped(make):
    opt, params = make()
    opt.update(params, gradients(params, 0))
    return opt, params


def between_steps(repeats):
    """The child and its parent both go on with the same optimizer, to the same bits."""
    expected = pictures(large, STEPS)
    for _ in range(repeats):
        opt, params = large()
        opt.update(params, gradients(params, 0))
        assert len(threads._workers.threads) == 2

        def child(opt=opt, params=params):
            go_on(opt, params, 1)
            assert picture(opt, params) == expected[STEPS]

        pid = in_child(child)
        go_on(opt, params, 1)
        assert picture(opt, params) == expected[STEPS]
        wait_for(pid)


def grandchildren(repeats):
    """A child has children of its own while it has workers."""
    expected = pictures(KINDS["shared_out"], STEPS)

    def child(depth):
        opt, params = KINDS["shared_out"]()
        big, bigs = large()
        big.update(bigs, gradients(bigs, 0))
        go_on(opt, params, 0)
        assert picture(opt, params) == expected[STEPS]
        if depth:
            wait_for(in_child(lambda: child(depth - 1)))

    for _ in range(repeats):
        wait_for(in_child(lambda: child(1)))


def during_a_step(repeats):
    """While another thread is inside of a step: its optimizer stays shut in the child, all others work."""
    expected = pictures(large, 2)
    opt, params = large()
    grads, over, refused = gradients(params, 0), threading.Event(), 0

    def work():
        while not over.is_set():
            opt.update(params, grads)

    thread = threading.Thread(target=work)
    thread.start()

    def child():
        new, own = large()
        for step in range(2):
            new.update(own, gradients(own, step))
        assert picture(new, own) == expected[2]
        try:
            opt.update(params, grads)
        except RuntimeError as error:
            assert "a step of this optimizer is under way" in str(error)  # noqa: PT017 - in a process of its own
            os._exit(3)

    try:
        for _ in range(repeats):
            status = os.waitpid(in_child(child), 0)[1]
            assert os.WIFEXITED(status), f"a child was ended by {os.WTERMSIG(status)}"
            assert os.WEXITSTATUS(status) in {0, 3}
            refused += os.WEXITSTATUS(status) == 3
    finally:
        over.set()
        thread.join(PATIENCE)
    assert refused > 0


def while_another_thread_compiles(repeats):
    """The child compiles a rule of its own, though the thread that held the locks of the compiler is not there."""
    warm, params = KINDS["plain"]()
    warm.update(params, gradients(params, 0))  # an import that is under way in a fork is Python's own affair
    for k in range(repeats):
        begun = threading.Event()

        def compile_one(name, begun=begun):
            text = f"def {name}(w, g, *, lr=0.1):\n    w = w - lr * ({os.getpid() + 0.5} * g)\n    return w"
            opt, w = tw.Optimizer(tw.rule(text)), np.ones(3)
            begun.set()
            opt.update({"w": w}, {"w": w.copy()})

        thread = threading.Thread(target=compile_one, args=(f"outside{k}",))
        thread.start()
        begun.wait(PATIENCE)
        time.sleep(0.02 * k)
        pid = in_child(lambda k=k: compile_one(f"inside{k}"))
        thread.join(PATIENCE)
        wait_for(pid)


def by_another_thread(repeats):
    """The thread that forks is the main thread of the child, where interrupts arrive: a step of it is whole, too."""
    make = KINDS["numbers"]
    expected = pictures(make, 3)
    opt, params = stepped(make)
    places = some_instructions(lambda: opt.update(params, gradients(params, 1)), before=1, at_the_end=repeats)

    def child():
        for place in places:
            opt, params = stepped(make)
            one = Interrupted(lambda o=opt, p=params: o.update(p, gradients(p, 1)), place)
            assert one.raised is not None or not one.arrived
            assert picture(opt, params) in expected[1:3], one.where

    def fork():
        statuses.append(os.waitpid(in_child(child), 0)[1])

    statuses = []
    thread = threading.Thread(target=fork)
    thread.start()
    thread.join(PATIENCE)
    assert statuses == [0]


def at_the_end(repeats):
    """The interpreter of a child ends while workers idle, and while a daemon thread is in the middle of a step."""

    def child(is_busy):
        opt, params = large()
        grads, begun = gradients(params, 0), threading.Event()

        def work():
            while True:
                opt.update(params, grads)
                begun.set()

        if is_busy:
            threading.Thread(target=work, daemon=True).start()
            begun.wait(PATIENCE)
        else:
            opt.update(params, grads)

    gc.freeze()  # what the children did not make they need not look through at their end
    for k in range(repeats):
        pid = os.fork()
        if pid == 0:
            signal.alarm(PATIENCE)
            child(k % 2 == 1)
            sys.exit(0)
        wait_for(pid)


if __name__ == "__main__":
    tw.set_num_threads(3)
    if sys.argv[1] in {"during_a_step", "while_another_thread_compiles", "by_another_thread"}:
        # Python warns of forks with threads about; here they are the point.
        warnings.simplefilter("ignore", DeprecationWarning)
    globals()[sys.argv[1]](int(sys.argv[2]))
    print("done")  # noqa: T201 - the answer
