"""Processes that save, and are killed in the middle, or get in each other's way."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.checkpoint.samples import number_of, uniform
from thalweg.checkpoint import read, write

pytestmark = pytest.mark.skipif(
    not hasattr(os, "fork"), reason="there is no fork, which makes hundreds of kills affordable"
)
ROOT = Path(__file__).resolve().parents[2]


@contextlib.contextmanager
def saver(path):
    """A process that saves to `path` on demand."""
    command = [sys.executable, "-m", "tests.checkpoint.saver", str(path)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.stdin.close()
            process.wait(60)


def start(process, first, count):
    print(first, count, file=process.stdin, flush=True)
    return int(process.stdout.readline().removeprefix("pid "))


def kill_one(process, path, first, rng):
    """Start saving at `first`, kill it soon; return the last number that was acknowledged, or None."""
    pid = start(process, first, 10**6)
    lines = [process.stdout.readline() for _ in range(rng.randrange(3))]
    time.sleep(rng.random() * 0.004)
    os.kill(pid, signal.SIGKILL)
    while (line := process.stdout.readline()) != "ended\n":
        assert line, "the process that starts the others has ended"
        lines.append(line)
    return int(lines[-1]) if lines else None


def kills(path, times):
    """Kill it so many times; return how many times there was litter."""
    rng = random.Random(1)
    littered = 0
    with saver(path) as process:
        known = 0
        for _ in range(times):
            acknowledged = kill_one(process, path, known + 1, rng)
            found = number_of(read(path))  # neither unloadable nor a mixture
            assert found >= (known if acknowledged is None else acknowledged)
            littered += len(list(path.parent.iterdir())) > 1
            known = found + 1
            write(path, uniform(known))
            assert [one.name for one in path.parent.iterdir()] == [path.name]
    return littered


def test_ten_kills_lose_nothing(tmp_path):
    write(tmp_path / "c", uniform(0))
    kills(tmp_path / "c", 10)


@pytest.mark.slow
def test_two_hundred_kills_lose_nothing(tmp_path):
    write(tmp_path / "c", uniform(0))
    assert kills(tmp_path / "c", 200) > 20  # otherwise they did not strike in the middle


def test_several_savers_at_one_path_leave_one_whole_file(tmp_path):
    path = tmp_path / "c"
    write(path, uniform(0))
    with contextlib.ExitStack() as stack:
        savers = [stack.enter_context(saver(path)) for _ in range(3)]
        for i, process in enumerate(savers):
            start(process, 1000 * (i + 1), 40)
        under_way = dict.fromkeys(range(3), 1)
        while under_way:
            number_of(read(path))
            for i in list(under_way):
                if savers[i].stdout.readline() == "ended\n":
                    del under_way[i]
    assert number_of(read(path)) in {1039, 2039, 3039}
    assert [one.name for one in tmp_path.iterdir()] == ["c"]
