"""What hangs ends the tests, with a traceback of every thread, instead of blocking them."""

from __future__ import annotations

import faulthandler
import signal
import sys

import pytest

from thalweg.engine import threads

PATIENCE = 300.0  # seconds; none of these tests takes a tenth of it


@pytest.fixture(autouse=True)
def _no_hang_and_nothing_left_behind():
    faulthandler.dump_traceback_later(PATIENCE, exit=True, file=sys.__stderr__)
    handler, number = signal.getsignal(signal.SIGINT), threads._workers.num_threads
    yield
    faulthandler.cancel_dump_traceback_later()
    assert signal.getsignal(signal.SIGINT) is handler
    threads._workers.num_threads = number
