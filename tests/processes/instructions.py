"""An interrupt at one chosen instruction."""

from __future__ import annotations

import _thread
import dis
import functools
import signal
import sys
from pathlib import Path

import thalweg

# Python runs a signal's handler behind a call, at the start of a function and at the end of a loop's round; an
# interrupt that arrives between waits for the next of these.
_CHECKS = {code for name, code in dis.opmap.items() if name.startswith(("CALL", "RESUME", "JUMP_BACKWARD"))}
_FILES = (str(Path(thalweg.__file__).parent), *(sys.modules[name].__file__ for name in ("contextlib", "signal")))


NEVER = 10**9


class _Trap:
    """Makes an interrupt arrive when it is dropped, in compiled code: what is executed next is the traced function."""

    __del__ = staticmethod(functools.partial(_thread.interrupt_main, signal.SIGINT))


@functools.cache
def _operations(code):
    return code.co_code


class Interrupted:
    """One call of a function, with an interrupt before the instruction of this number (see `_CHECKS`).

    arrived: whether there are so many instructions. where: the last one seen before it. raised: what came out.
    """

    def __init__(self, function, number):
        self.left = number
        self.where = "nowhere"
        self.arrived = False
        self.raised = None
        before = sys.gettrace()
        sys.settrace(self._enter)
        try:
            function()
        except KeyboardInterrupt as error:
            self.raised = error
        finally:
            sys.settrace(before)

    def _enter(self, frame, event, arg):
        if self.arrived or not frame.f_code.co_filename.startswith(_FILES):
            return None
        frame.f_trace_opcodes = True
        frame.f_trace_lines = False
        return self._look

    def _look(self, frame, event, arg):
        if event == "opcode" and not self.arrived and _operations(frame.f_code)[frame.f_lasti] in _CHECKS:
            self.left -= 1
            if self.left < 0:
                self.arrived = True
                self.where = f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno} {frame.f_code.co_name}"
                trap = _Trap()  # noqa: F841 - it is dropped when this returns
        return self._look


def some_instructions(function, at_the_end=30, before=30):
    """Return numbers of instructions of a function: all at the end, and so many spread over those before.

    A few more than there are: the next call may need some that this one did not, and the last ones come after the step.
    """
    counting = Interrupted(function, NEVER)
    count = NEVER - counting.left
    early = max(0, count - at_the_end)
    return [*range(0, early, max(1, early // before)), *range(early, count + 10)]
