"""Take steps, and be interrupted at any moment. Usage: ctrl_c.py REPEATS KIND ...

A step that was interrupted has been taken or not, and the next one works. The output, for each kind: how many
interrupts there were, and how many of them in a step.
"""

import os
import random
import signal
import sys
import threading
import time
from queue import SimpleQueue

import thalweg as tw
from tests.processes.kinds import KINDS, gradients, large, picture, pictures

STEPS = 12


class Sender:
    """A thread that sends Ctrl-C once each time it is asked to, after a while; the answer is set when it has."""

    def __init__(self):
        self.rng, self.asked = random.Random(0), SimpleQueue()
        threading.Thread(target=self._send, daemon=True).start()

    def ask(self, longest):
        sent = threading.Event()
        self.asked.put((self.rng.random() * longest, sent))
        return sent

    def _send(self):
        while True:
            delay, sent = self.asked.get()
            time.sleep(delay)
            os.kill(os.getpid(), signal.SIGINT)
            sent.set()


def duration(make):
    """Return the seconds that a step takes, more or less."""
    opt, params = make()
    found = []
    for step in range(4):
        grads = gradients(params, step)
        start = time.perf_counter()
        opt.update(params, grads)
        found.append(time.perf_counter() - start)
    return min(found)


def interrupted(make, repeats, sender):
    """Interrupt so many times; return how often it was in a step."""
    expected, longest = pictures(make, STEPS), 1.5 * duration(make)
    grads = [gradients(make()[1], step) for step in range(STEPS)]
    opt, params, done = *make(), 0
    inside = 0
    for _ in range(repeats):
        if done == STEPS:
            opt, params, done = *make(), 0
        is_over = False
        try:
            sent = sender.ask(longest)
            try:
                opt.update(params, grads[done])
                is_over = True
            finally:
                sent.wait()
        except KeyboardInterrupt:
            pass
        else:
            raise AssertionError("Ctrl-C was lost")
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        found = picture(opt, params)
        assert found in expected[done : done + 2], f"torn after {done} steps"
        done += found == expected[done + 1]
        inside += not is_over
    return inside


def main(repeats, kinds):
    sender = Sender()
    for kind in kinds:
        make = large if kind == "large" else KINDS[kind]
        print(kind, repeats, interrupted(make, repeats, sender))  # noqa: T201 - the answer


if __name__ == "__main__":
    tw.set_num_threads(3)
    main(int(sys.argv[1]), sys.argv[2:])
