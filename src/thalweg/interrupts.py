"""Ctrl-C during a step waits until the step is whole."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def deferred() -> Iterator[None]:
    """Let an interrupt from the keyboard wait until the block has ended; it is raised behind it.

    Python runs signal handlers in the main thread alone, so that in any other thread this does nothing. Other signals
    are not held back.
    """
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or not callable(signal.getsignal(signal.SIGINT)):
        yield
        return
    waiting: list[tuple[int, FrameType | None]] = []
    # `signal.signal` puts the new handler in place before it returns the old one: from here on nothing can be raised.
    before = signal.signal(signal.SIGINT, lambda number, frame: waiting.append((number, frame)))
    try:
        yield
    finally:
        try:
            signal.signal(signal.SIGINT, before)
        except BaseException:  # the handler of another signal raised before its first line
            signal.signal(signal.SIGINT, before)
            raise
        if waiting and callable(before):
            before(*waiting[0])
